import { create, type MessageShape } from '@bufbuild/protobuf';
import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import {
  Algorithm,
  type LimitStatus,
  LimitStatusSchema,
} from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  type CheckLimitResponseSchema,
  DecisionSource,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import type { Decision, TermOutcome } from '../../domain/decision.ts';

/**
 * A decision in the contract's form. `limits` only where there was more than one, or the one is in shadow mode: nothing
 * else of the answer would say that it isn't enforced.
 */
export function decisionResponse(decision: Decision): MessageShape<typeof CheckLimitResponseSchema> {
  const { limit, rule, outcomes } = decision;
  // A literal has the shape that create() gives, at a fraction of its time.
  return {
    $typeName: 'optix.ratelimit.v1.CheckLimitResponse',
    allowed: decision.allowed,
    limit: limit?.limit ?? 0,
    remaining: decision.remaining,
    resetTime: timestamp(decision.resetMicros),
    retryAfter: decision.allowed ? undefined : duration(decision.retryAfterMicros),
    bypassed: decision.bypassed,
    rule: rule.name,
    ruleVersion: rule.version,
    window: limit === undefined ? undefined : duration(limit.windowMicros),
    source: SOURCES[decision.source],
    algorithm: limit === undefined ? Algorithm.UNSPECIFIED : ALGORITHM_VALUES[limit.algorithm],
    limitName: limit?.name ?? '',
    shadowDenied: decision.shadowDenied,
    limits: outcomes.length > 1 || outcomes[0]?.term.limit.shadow ? outcomes.map(limitStatus) : [],
    receipt: decision.receipt,
  };
}

/** What one limit said, in the contract's form. */
export function limitStatus({ term, state }: TermOutcome): LimitStatus {
  const { limit } = term;
  const status = create(LimitStatusSchema, {
    rule: term.rule.name,
    limitName: limit.name,
    endpoint: term.endpoint,
    identifier: term.identifier,
    algorithm: ALGORITHM_VALUES[limit.algorithm],
    allowed: state.allowed,
    shadow: limit.shadow,
    limit: limit.limit,
    remaining: state.remaining,
    resetTime: timestamp(state.resetMicros),
    window: duration(limit.windowMicros),
    burst: limit.burst,
  });
  if (!state.allowed) status.retryAfter = duration(state.retryAfterMicros);
  return status;
}

export const ALGORITHM_VALUES: Readonly<Record<NonNullable<Decision['limit']>['algorithm'], Algorithm>> = {
  SLIDING_WINDOW_LOG: Algorithm.SLIDING_WINDOW_LOG,
  SLIDING_WINDOW_COUNTER: Algorithm.SLIDING_WINDOW_COUNTER,
  TOKEN_BUCKET: Algorithm.TOKEN_BUCKET,
  FIXED_WINDOW: Algorithm.FIXED_WINDOW,
  CONCURRENCY: Algorithm.CONCURRENCY,
};

export const SOURCES: Readonly<Record<Decision['source'], DecisionSource>> = {
  REDIS: DecisionSource.REDIS,
  MEMORY: DecisionSource.MEMORY,
  FALLBACK_LOCAL: DecisionSource.FALLBACK_LOCAL,
  FALLBACK_OPEN: DecisionSource.FALLBACK_OPEN,
  FALLBACK_CLOSED: DecisionSource.FALLBACK_CLOSED,
  CACHE: DecisionSource.CACHE,
  BYPASS: DecisionSource.BYPASS,
  UNLIMITED: DecisionSource.UNLIMITED,
  DISABLED: DecisionSource.DISABLED,
};

/** µs since the epoch as a timestamp. */
export function timestamp(micros: number): Timestamp {
  const seconds = Math.floor(micros / 1_000_000);
  return { $typeName: 'google.protobuf.Timestamp', seconds: BigInt(seconds), nanos: nanos(micros, seconds) };
}

/** A length in µs as a duration. */
export function duration(micros: number): Duration {
  const seconds = Math.floor(micros / 1_000_000);
  return { $typeName: 'google.protobuf.Duration', seconds: BigInt(seconds), nanos: nanos(micros, seconds) };
}

function nanos(micros: number, seconds: number): number {
  return (micros - seconds * 1_000_000) * 1000;
}
