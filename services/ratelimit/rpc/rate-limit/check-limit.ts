import type { MethodImpl } from '@connectrpc/connect';
import {
  CheckLimitRequestSchema,
  type RateLimitService,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import type { Decision } from '../../domain/decision.ts';
import { noteDecision } from '../decision-span.ts';
import { checkBounds } from './check-rules.ts';
import { decisionResponse } from './decision-response.ts';

export const checkLimitRules = requestRules(CheckLimitRequestSchema, checkBounds);

/** optix.ratelimit.v1.RateLimitService/CheckLimit */
export function checkLimit({
  limiter,
}: Pick<RateLimitContext, 'limiter'>): MethodImpl<typeof RateLimitService.method.checkLimit> {
  return (request) => {
    const decision = limiter.check(request);
    return decision instanceof Promise ? decision.then(answer) : answer(decision);
  };
}

function answer(decision: Decision) {
  return decisionResponse(noteDecision(decision));
}
