import type { MethodImpl } from '@connectrpc/connect';
import {
  type RateLimitAdminService,
  type Rule,
  RuleMode,
  StoreFailurePolicy,
  type UpdateRuleRequest,
  UpdateRuleRequestSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RuleDefinition } from '../../domain/rule.ts';
import type { RuleBook } from '../../domain/rule-book.ts';
import { requiredRule } from './required-rule.ts';
import { ruleDefinition, ruleMessage } from './rule-message.ts';
import { ruleNameBounds } from './rule-name.ts';

/** What an update can change: each by its name in the mask and in the domain, and whether a message has it. */
const FIELDS: readonly {
  readonly path: string;
  readonly field: Exclude<keyof RuleDefinition, 'name'>;
  readonly isSet: (rule: Rule) => boolean;
}[] = [
  { path: 'limits', field: 'limits', isSet: ({ limits }) => limits.length > 0 },
  { path: 'mode', field: 'mode', isSet: ({ mode }) => mode !== RuleMode.UNSPECIFIED },
  { path: 'bypass_roles', field: 'bypassRoles', isSet: ({ bypassRoles }) => bypassRoles.length > 0 },
  {
    path: 'on_store_failure',
    field: 'onStoreFailure',
    isSet: ({ onStoreFailure }) => onStoreFailure !== StoreFailurePolicy.UNSPECIFIED,
  },
  { path: 'overrides', field: 'overrides', isSet: ({ overrides }) => overrides.length > 0 },
];

export const updateRuleRules = requestRules(UpdateRuleRequestSchema, (request, violations) => {
  const { rule } = request;
  if (rule === undefined) {
    violations.add('rule', 'must be set');
    return;
  }
  ruleNameBounds('rule.name', rule.name, violations);
  const paths = request.updateMask?.paths ?? [];
  const unknown = paths.find((path) => path !== '*' && !FIELDS.some((each) => each.path === path));
  if (unknown !== undefined) {
    const known = FIELDS.map(({ path }) => path).join(', ');
    violations.add('update_mask', `must have only ${known}, or *`);
  }
  if (paths.includes('*') && paths.length > 1) violations.add('update_mask', 'must have nothing beside *');
  const { UNSPECIFIED } = StoreFailurePolicy;
  const replacesPolicy = paths.includes('*') || paths.includes('on_store_failure');
  // What FAIL_OPEN means is too much to come from a field that was forgotten.
  if (replacesPolicy && rule.onStoreFailure === UNSPECIFIED) {
    violations.add('rule.on_store_failure', 'must be set where it is to change');
  }
});

/** optix.ratelimit.v1.RateLimitAdminService/UpdateRule */
export function updateRule({
  rules,
}: {
  readonly rules: RuleBook;
}): MethodImpl<typeof RateLimitAdminService.method.updateRule> {
  return async (request) => {
    const { name, etag } = requiredRule(request.rule);
    const change = changeOf(request);
    const updated = await rules.update(name, (before) => ({ ...before, ...change }), etag);
    return { rule: ruleMessage(updated) };
  };
}

/** The fields that change, with their new values. */
function changeOf({ rule, updateMask }: UpdateRuleRequest): Partial<RuleDefinition> {
  const message = requiredRule(rule);
  const paths = updateMask?.paths ?? [];
  const changing = FIELDS.filter(({ path, isSet }) => {
    return paths.length === 0 ? isSet(message) : paths.includes('*') || paths.includes(path);
  });
  const values = ruleDefinition(message);
  return Object.fromEntries(changing.map(({ field }) => [field, values[field]]));
}
