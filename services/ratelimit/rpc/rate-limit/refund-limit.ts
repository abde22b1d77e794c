import type { MethodImpl } from '@connectrpc/connect';
import {
  type RateLimitService,
  RefundLimitRequestSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import { receiptBounds } from './receipt-rules.ts';

export const refundLimitRules = requestRules(RefundLimitRequestSchema, receiptBounds);

/** optix.ratelimit.v1.RateLimitService/RefundLimit */
export function refundLimit({
  limiter,
}: Pick<RateLimitContext, 'limiter'>): MethodImpl<typeof RateLimitService.method.refundLimit> {
  return async ({ receipt }) => ({ refunded: await limiter.refund(receipt) });
}
