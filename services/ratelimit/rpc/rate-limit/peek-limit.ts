import { create } from '@bufbuild/protobuf';
import type { MethodImpl } from '@connectrpc/connect';
import {
  CheckLimitRequestSchema,
  PeekLimitRequestSchema,
  type RateLimitService,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import { checkBounds } from './check-rules.ts';
import { decisionResponse, limitStatus } from './decision-response.ts';

export const peekLimitRules = requestRules(PeekLimitRequestSchema, ({ check }, violations) => {
  violations.part('check', check, checkBounds);
});

/** optix.ratelimit.v1.RateLimitService/PeekLimit */
export function peekLimit({
  limiter,
}: Pick<RateLimitContext, 'limiter'>): MethodImpl<typeof RateLimitService.method.peekLimit> {
  return async ({ check }) => {
    const peeked = await limiter.peek(check ?? create(CheckLimitRequestSchema));
    const decision = decisionResponse(peeked);
    decision.limits = peeked.outcomes.map(limitStatus);
    return { decision };
  };
}
