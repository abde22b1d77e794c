import type { Rule } from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';

/** The rule of a request that was found to have one. */
export function requiredRule(rule: Rule | undefined): Rule {
  if (rule === undefined) throw new TypeError('the request has no rule');
  return rule;
}
