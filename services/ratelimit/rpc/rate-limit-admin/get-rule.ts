import type { MethodImpl } from '@connectrpc/connect';
import {
  GetRuleRequestSchema,
  type RateLimitAdminService,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RuleBook } from '../../domain/rule-book.ts';
import { ruleMessage } from './rule-message.ts';
import { ruleNameBounds } from './rule-name.ts';

export const getRuleRules = requestRules(GetRuleRequestSchema, ({ name }, violations) => {
  ruleNameBounds('name', name, violations);
});

/** optix.ratelimit.v1.RateLimitAdminService/GetRule */
export function getRule({
  rules,
}: {
  readonly rules: RuleBook;
}): MethodImpl<typeof RateLimitAdminService.method.getRule> {
  return ({ name }) => ({ rule: ruleMessage(rules.get(name)) });
}
