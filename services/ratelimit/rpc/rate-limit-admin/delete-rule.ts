import type { MethodImpl } from '@connectrpc/connect';
import {
  DeleteRuleRequestSchema,
  type RateLimitAdminService,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RuleBook } from '../../domain/rule-book.ts';
import { ruleNameBounds } from './rule-name.ts';

export const deleteRuleRules = requestRules(DeleteRuleRequestSchema, ({ name }, violations) => {
  ruleNameBounds('name', name, violations);
});

/** optix.ratelimit.v1.RateLimitAdminService/DeleteRule */
export function deleteRule({
  rules,
}: {
  readonly rules: RuleBook;
}): MethodImpl<typeof RateLimitAdminService.method.deleteRule> {
  return async ({ name, etag }) => {
    await rules.delete(name, etag);
    return {};
  };
}
