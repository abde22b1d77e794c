import { RateLimitService as EnvoyRateLimitService } from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { RateLimitAdminService } from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { RateLimitService } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { type ServiceTable, serviceTable } from '../../runtime/service-table.ts';
import type { RequestRules } from '../../runtime/validation.ts';
import type { RateLimitContext } from './context.ts';
import { shouldRateLimit, shouldRateLimitRules } from './rpc/envoy/should-rate-limit.ts';
import { batchCheckLimits, batchCheckLimitsRules } from './rpc/rate-limit/batch-check-limits.ts';
import { checkLimit, checkLimitRules } from './rpc/rate-limit/check-limit.ts';
import { peekLimit, peekLimitRules } from './rpc/rate-limit/peek-limit.ts';
import { refundLimit, refundLimitRules } from './rpc/rate-limit/refund-limit.ts';
import { renewLease, renewLeaseRules } from './rpc/rate-limit/renew-lease.ts';
import {
  encodeBatchCheckLimitsResponse,
  encodeCheckLimitResponse,
  encodeStreamCheckLimitsResponse,
} from './rpc/rate-limit/response-encoding.ts';
import { streamCheckLimits, streamCheckLimitsRules } from './rpc/rate-limit/stream-check-limits.ts';
import { createRule, createRuleRules } from './rpc/rate-limit-admin/create-rule.ts';
import { deleteRule, deleteRuleRules } from './rpc/rate-limit-admin/delete-rule.ts';
import { getRule, getRuleRules } from './rpc/rate-limit-admin/get-rule.ts';
import { listRules, listRulesRules } from './rpc/rate-limit-admin/list-rules.ts';
import { listTopLimited, listTopLimitedRules } from './rpc/rate-limit-admin/list-top-limited.ts';
import { resetLimit, resetLimitRules } from './rpc/rate-limit-admin/reset-limit.ts';
import { updateRule, updateRuleRules } from './rpc/rate-limit-admin/update-rule.ts';
import { watchDecisions, watchDecisionsRules } from './rpc/rate-limit-admin/watch-decisions.ts';

/** Every RPC of the service and its handler. */
export function serviceTables(context: RateLimitContext): readonly ServiceTable[] {
  const ofChecks = {
    checkLimit: checkLimit(context),
    batchCheckLimits: batchCheckLimits(context),
    streamCheckLimits: streamCheckLimits(context),
    peekLimit: peekLimit(context),
    refundLimit: refundLimit(context),
    renewLease: renewLease(context),
  };
  return [
    serviceTable(RateLimitService, ofChecks, {
      checkLimit: encodeCheckLimitResponse,
      batchCheckLimits: encodeBatchCheckLimitsResponse,
      streamCheckLimits: encodeStreamCheckLimitsResponse,
    }),
    serviceTable(RateLimitAdminService, {
      listRules: listRules(context),
      getRule: getRule(context),
      createRule: createRule(context),
      updateRule: updateRule(context),
      deleteRule: deleteRule(context),
      resetLimit: resetLimit(context),
      listTopLimited: listTopLimited(context),
      watchDecisions: watchDecisions(context),
    }),
    serviceTable(EnvoyRateLimitService, { shouldRateLimit: shouldRateLimit(context) }),
  ];
}

/** The bounds of every request message. */
export const rules: readonly RequestRules[] = [
  checkLimitRules,
  batchCheckLimitsRules,
  streamCheckLimitsRules,
  peekLimitRules,
  refundLimitRules,
  renewLeaseRules,
  listRulesRules,
  getRuleRules,
  createRuleRules,
  updateRuleRules,
  deleteRuleRules,
  resetLimitRules,
  listTopLimitedRules,
  watchDecisionsRules,
  shouldRateLimitRules,
];
