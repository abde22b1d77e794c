import { create } from '@bufbuild/protobuf';
import { Code, type ConnectError, type MethodImpl } from '@connectrpc/connect';
import {
  type RateLimitAdminService,
  WatchDecisionsRequestSchema,
  type WatchDecisionsResponse,
  WatchDecisionsResponseSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { rpcError } from '../../../../runtime/errors.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import { type DecisionTail, TooManyWatchers } from '../../domain/decision-tail.ts';
import type { TailEvent } from '../../domain/tail-watcher.ts';
import { endpointBounds, identifierBounds } from '../rate-limit/check-rules.ts';
import { duration, SOURCES, timestamp } from '../rate-limit/decision-response.ts';

export const watchDecisionsRules = requestRules(
  WatchDecisionsRequestSchema,
  ({ endpoint, identifierPrefix, sampleRate }, violations) => {
    if (endpoint !== '') endpointBounds('endpoint', endpoint, violations);
    if (identifierPrefix !== '') identifierBounds('identifier_prefix', identifierPrefix, violations);
    if (!(sampleRate >= 0 && sampleRate <= 1)) violations.add('sample_rate', 'must be from 0 to 1');
  },
);

/** optix.ratelimit.v1.RateLimitAdminService/WatchDecisions */
export function watchDecisions({
  tail,
}: {
  readonly tail: DecisionTail;
}): MethodImpl<typeof RateLimitAdminService.method.watchDecisions> {
  return async function* ({ endpoint, identifierPrefix, deniedOnly, sampleRate }, { signal }) {
    const filter = { endpoint, identifierPrefix, deniedOnly, sampleRate: sampleRate === 0 ? 1 : sampleRate };
    for await (const event of tail.watch(filter, signal)) yield watchResponse(event);
  };
}

/** What callers are told where all places are taken; undefined for other errors. */
export function toWatchRpcError(error: unknown, domain: string): ConnectError | undefined {
  if (!(error instanceof TooManyWatchers)) return undefined;
  return rpcError(Code.ResourceExhausted, {
    message: `${error.most} watch the decisions of this process already, which are as many as may`,
    reason: 'TOO_MANY_WATCHERS',
    domain,
    metadata: { limit: String(error.most) },
  });
}

function watchResponse(event: TailEvent): WatchDecisionsResponse {
  const { decision } = event;
  const response = create(WatchDecisionsResponseSchema, {
    time: timestamp(event.atMicros),
    endpoint: event.endpoint,
    identifier: event.identifier,
    cost: event.cost,
    allowed: decision.allowed,
    shadowDenied: decision.shadowDenied,
    rule: decision.rule.name,
    remaining: decision.remaining,
    source: SOURCES[decision.source],
    dropped: BigInt(event.dropped),
  });
  if (decision.limit !== undefined) {
    response.limitName = decision.limit.name;
    response.limit = decision.limit.limit;
  }
  if (!decision.allowed) response.retryAfter = duration(decision.retryAfterMicros);
  return response;
}
