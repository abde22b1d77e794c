import { create, type MessageShape } from '@bufbuild/protobuf';
import type { MethodImpl } from '@connectrpc/connect';
import {
  BatchCheckLimitsRequestSchema,
  BatchCheckLimitsResponseSchema,
  type RateLimitService,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import type { Decision } from '../../domain/decision.ts';
import { checkBounds } from './check-rules.ts';
import { decisionResponse } from './decision-response.ts';

/** Checks of one call, or of one message of a stream. */
export const MAX_CHECKS = 1_000;

export const batchCheckLimitsRules = requestRules(BatchCheckLimitsRequestSchema, ({ checks }, violations) => {
  violations.entries('checks', checks, MAX_CHECKS, checkBounds);
});

/** optix.ratelimit.v1.RateLimitService/BatchCheckLimits */
export function batchCheckLimits({
  limiter,
}: Pick<RateLimitContext, 'limiter'>): MethodImpl<typeof RateLimitService.method.batchCheckLimits> {
  return async ({ checks, allOrNothing }) => {
    if (allOrNothing) {
      const { decisions, receipt } = await limiter.checkTogether(checks);
      return batchResponse(decisions, receipt);
    }
    return batchResponse(await limiter.checkEach(checks), '');
  };
}

function batchResponse(
  decisions: readonly Decision[],
  receipt: string,
): MessageShape<typeof BatchCheckLimitsResponseSchema> {
  const response = create(BatchCheckLimitsResponseSchema);
  response.decisions = decisions.map((decision) => decisionResponse(decision));
  response.allAllowed = decisions.every(({ allowed }) => allowed);
  response.receipt = receipt;
  return response;
}
