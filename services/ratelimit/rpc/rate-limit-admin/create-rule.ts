import type { MethodImpl } from '@connectrpc/connect';
import {
  CreateRuleRequestSchema,
  type RateLimitAdminService,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RuleBook } from '../../domain/rule-book.ts';
import { requiredRule } from './required-rule.ts';
import { ruleDefinition, ruleMessage } from './rule-message.ts';

// The rule's bounds are the domain's: what they refuse names the fields all the same.
export const createRuleRules = requestRules(CreateRuleRequestSchema, ({ rule }, violations) => {
  if (rule === undefined) violations.add('rule', 'must be set');
});

/** optix.ratelimit.v1.RateLimitAdminService/CreateRule */
export function createRule({
  rules,
}: {
  readonly rules: RuleBook;
}): MethodImpl<typeof RateLimitAdminService.method.createRule> {
  return async ({ rule }) => {
    const created = await rules.create(ruleDefinition(requiredRule(rule)));
    return { rule: ruleMessage(created) };
  };
}
