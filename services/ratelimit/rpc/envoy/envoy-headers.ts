import { create } from '@bufbuild/protobuf';
import { rateLimitHeaders } from '../../../../clients/ratelimit/rate-limit-headers.ts';
import type { HeaderValue } from '../../../../gen/envoy/config/core/v3/base_pb.ts';
import { CheckLimitResponseSchema } from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { type Decision, decidingOutcome } from '../../domain/decision.ts';
import type { EnvoyAnswer } from '../../domain/envoy/should-limit.ts';
import type { DescriptorStatus } from '../../domain/envoy/should-limit-status.ts';
import { decisionResponse, limitStatus } from '../rate-limit/decision-response.ts';

/**
 * Which headers go with an answer: none; those of Envoy's reference implementation (RateLimit-Limit, -Remaining and
 * -Reset, in whole seconds); or all that CheckLimit has over HTTP.
 */
export type EnvoyHeaders = 'off' | 'reference' | 'full';

export const ENVOY_HEADERS: readonly EnvoyHeaders[] = ['off', 'reference', 'full'];

const NO_BYTES = new Uint8Array();

/** The headers for the answer to whoever sent the request. */
export function envoyHeaders(answer: EnvoyAnswer, which: EnvoyHeaders): HeaderValue[] {
  if (which === 'off') return [];
  const headers = which === 'reference' ? referenceHeaders(answer) : fullHeaders(answer);
  return Object.entries(headers).map(([key, value]) => {
    return { $typeName: 'envoy.config.core.v3.HeaderValue', key, value, rawValue: NO_BYTES };
  });
}

/** Of the descriptor with the least left, one that is over before all others. */
function referenceHeaders({ statuses }: EnvoyAnswer): Readonly<Record<string, string>> {
  let least: DescriptorStatus | undefined;
  for (const status of statuses) {
    if (status.currentLimit !== undefined && (least === undefined || isLess(status, least))) least = status;
  }
  if (least?.currentLimit === undefined) return {};
  return {
    'RateLimit-Limit': String(least.currentLimit.requestsPerUnit),
    'RateLimit-Remaining': String(least.remaining),
    'RateLimit-Reset': String(Math.ceil((least.untilResetMicros ?? 0) / 1_000_000)),
  };
}

function isLess(one: DescriptorStatus, other: DescriptorStatus): boolean {
  return one.over === other.over ? one.remaining < other.remaining : one.over;
}

/** All descriptors as one decision, but for those in shadow mode: nobody should slow down for them. */
function fullHeaders({ over, statuses }: EnvoyAnswer): Readonly<Record<string, string>> {
  const decisions = statuses.flatMap(({ decision, shadow }) =>
    decision === undefined || shadow ? [] : [decision],
  );
  const outcomes = decisions.flatMap((decision) => decision.outcomes);
  const deciding = decidingOutcome(outcomes);
  const of = decisions.find((decision) => deciding !== undefined && decision.outcomes.includes(deciding));
  const waits = statuses.map((status) => (status.over ? (status.untilResetMicros ?? 0) : 0));
  const retryAfterMicros = Math.max(...waits);
  // A limit that lets nothing pass is no decision.
  if (of === undefined) return over ? { 'Retry-After': String(Math.ceil(retryAfterMicros / 1_000_000)) } : {};
  const whole: Decision = { ...of, allowed: !over, retryAfterMicros, outcomes };
  const response = create(CheckLimitResponseSchema, {
    ...decisionResponse(whole),
    limits: outcomes.map(limitStatus),
  });
  return rateLimitHeaders(response, Date.now());
}
