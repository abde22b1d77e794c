import type { MethodImpl } from '@connectrpc/connect';
import {
  type RateLimitAdminService,
  ResetLimitRequestSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import { endpointBounds, identifierBounds } from '../rate-limit/check-rules.ts';

export const resetLimitRules = requestRules(
  ResetLimitRequestSchema,
  ({ endpoint, identifier }, violations) => {
    endpointBounds('endpoint', endpoint, violations);
    identifierBounds('identifier', identifier, violations);
  },
);

/** optix.ratelimit.v1.RateLimitAdminService/ResetLimit */
export function resetLimit({
  limiter,
}: Pick<RateLimitContext, 'limiter'>): MethodImpl<typeof RateLimitAdminService.method.resetLimit> {
  return async ({ endpoint, identifier }) => ({ reset: await limiter.reset(endpoint, identifier) });
}
