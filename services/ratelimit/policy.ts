import { Policy } from '../../runtime/callers/policy.ts';

const CHECKS = 'optix.ratelimit.v1.RateLimitService';
const ADMIN = 'optix.ratelimit.v1.RateLimitAdminService';
const ENVOY = 'envoy.service.ratelimit.v3.RateLimitService';
const CALLERS = 'optix.callers.v1.CallerService';
const OPERATIONS = 'optix.operations.v1.OperationsService';

/** Which RPC needs which scope. What a gateway needs is `limits.check` alone. */
export const policy = new Policy({
  rpcs: {
    [`${CHECKS}/CheckLimit`]: 'limits.check',
    [`${CHECKS}/BatchCheckLimits`]: 'limits.check',
    [`${CHECKS}/StreamCheckLimits`]: 'limits.check',
    [`${CHECKS}/PeekLimit`]: 'limits.check',
    [`${CHECKS}/RefundLimit`]: 'limits.check',
    [`${CHECKS}/RenewLease`]: 'limits.check',

    [`${ENVOY}/ShouldRateLimit`]: 'limits.check',
    'GET /forward-auth/nginx': 'limits.check',
    'GET /forward-auth/traefik': 'limits.check',

    [`${ADMIN}/ListRules`]: 'rules.read',
    [`${ADMIN}/GetRule`]: 'rules.read',
    [`${ADMIN}/ListTopLimited`]: 'rules.read',
    [`${ADMIN}/WatchDecisions`]: 'rules.read',
    [`${ADMIN}/CreateRule`]: 'rules.write',
    [`${ADMIN}/UpdateRule`]: 'rules.write',
    [`${ADMIN}/DeleteRule`]: 'rules.write',
    [`${ADMIN}/ResetLimit`]: 'limits.reset',

    'GET /metrics': 'metrics.read',

    [`${OPERATIONS}/GetLogSettings`]: 'operations.admin',
    [`${OPERATIONS}/UpdateLogSettings`]: 'operations.admin',

    [`${CALLERS}/CreateCallerKey`]: 'callers.admin',
    [`${CALLERS}/ListCallerKeys`]: 'callers.admin',
    [`${CALLERS}/RotateCallerKey`]: 'callers.admin',
    [`${CALLERS}/RevokeCallerKey`]: 'callers.admin',
  },
  defaultScopes: ['limits.check'],
  adminScopes: ['rules.write', 'limits.reset'],
});
