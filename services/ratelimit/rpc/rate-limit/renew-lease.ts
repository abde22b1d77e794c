import type { MethodImpl } from '@connectrpc/connect';
import {
  type RateLimitService,
  RenewLeaseRequestSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import { timestamp } from './decision-response.ts';
import { receiptBounds } from './receipt-rules.ts';

export const renewLeaseRules = requestRules(RenewLeaseRequestSchema, receiptBounds);

/** optix.ratelimit.v1.RateLimitService/RenewLease */
export function renewLease({
  limiter,
}: Pick<RateLimitContext, 'limiter'>): MethodImpl<typeof RateLimitService.method.renewLease> {
  return async ({ receipt }) => ({ expireTime: timestamp(await limiter.renew(receipt)) });
}
