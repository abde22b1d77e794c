import type { ConnectError, MethodImpl } from '@connectrpc/connect';
import {
  type CheckLimitRequest,
  type RateLimitService,
  StreamCheckLimitsRequestSchema,
  type StreamCheckLimitsResponse_Item,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { InvalidRequest } from '../../../../runtime/errors.ts';
import { rpcStatus } from '../../../../runtime/rpc-status.ts';
import { itemErrorKey } from '../../../../runtime/stream-context.ts';
import { enforce, requestRules } from '../../../../runtime/validation.ts';
import type { RateLimitContext } from '../../context.ts';
import type { Decision } from '../../domain/decision.ts';
import type { Limiter } from '../../domain/limiter.ts';
import { AnswerStream } from './answer-stream.ts';
import { MAX_CHECKS } from './batch-check-limits.ts';
import { checkLimitRules } from './check-limit.ts';
import { decisionResponse } from './decision-response.ts';

/** Of a message; its items have bounds of their own, and fail by themselves. */
export const streamCheckLimitsRules = requestRules(
  StreamCheckLimitsRequestSchema,
  ({ items }, violations) => {
    violations.entries('items', items, MAX_CHECKS);
  },
);

/** optix.ratelimit.v1.RateLimitService/StreamCheckLimits */
export function streamCheckLimits({
  limiter,
}: Pick<RateLimitContext, 'limiter'>): MethodImpl<typeof RateLimitService.method.streamCheckLimits> {
  return (requests, { signal, values }) => {
    const toError = values.get(itemErrorKey);
    return new AnswerStream(requests, ({ id, check }) => answer(limiter, id, check, toError), signal);
  };
}

/** Decides one item. What goes wrong is the item's answer, never the stream's end. */
function answer(
  limiter: Limiter,
  id: number,
  check: CheckLimitRequest | undefined,
  toError: (error: unknown) => ConnectError,
): Promise<StreamCheckLimitsResponse_Item> | StreamCheckLimitsResponse_Item {
  const decided = (decision: Decision) => {
    return item(id, { case: 'decision', value: decisionResponse(decision) });
  };
  const failed = (error: unknown) => item(id, { case: 'error', value: rpcStatus(toError(error)) });
  try {
    if (check === undefined) throw new InvalidRequest([{ field: 'check', description: 'must be set' }]);
    enforce(checkLimitRules, check);
    const decision = limiter.check(check);
    return decision instanceof Promise ? decision.then(decided, failed) : decided(decision);
  } catch (error) {
    return failed(error);
  }
}

function item(
  id: number,
  outcome: StreamCheckLimitsResponse_Item['outcome'],
): StreamCheckLimitsResponse_Item {
  return { $typeName: 'optix.ratelimit.v1.StreamCheckLimitsResponse.Item', id, outcome };
}
