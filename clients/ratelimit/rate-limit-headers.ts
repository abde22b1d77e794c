import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import { Algorithm } from '../../gen/optix/ratelimit/v1/limit_pb.ts';
import type { CheckLimitResponse } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';

/** Names of the headers below, for cross-origin callers. */
export const rateLimitHeaderNames = [
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'X-RateLimit-Bypass',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
];

/** What the headers tell of one limit. */
interface Quota {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
  readonly window: Duration | undefined;
}

/**
 * The decision as response headers, for HTTP gateways that pass them on:
 * X-RateLimit-Limit and -Remaining in units, -Reset in milliseconds since 1970, Retry-After in whole seconds on a
 * denial (RFC 9110 section 10.2.3), X-RateLimit-Bypass where a role passed uncounted, and the RateLimit and
 * RateLimit-Policy pair of draft-ietf-httpapi-ratelimit-headers.
 *
 * The X- headers are of the limit that decided; the pair lists every limit that is enforced, the deciding one first, as
 * `<rule>` or `<rule>:<limit's name>`. Where several keys count against one limit of one rule, the one with the least
 * left stands for them. Units held at one time (CONCURRENCY) have the draft's unit `concurrent-requests` and no window.
 * A limit in shadow mode is in no header: nobody should slow down for what isn't enforced.
 */
export function rateLimitHeaders(decision: CheckLimitResponse, nowMs: number): Record<string, string> {
  const quotas = enforcedQuotas(decision, nowMs);
  const [deciding] = quotas;
  // Nothing is limited where limiting is off.
  if (deciding === undefined) return {};
  const headers: Record<string, string> = {
    'X-RateLimit-Limit': String(deciding.limit),
    'X-RateLimit-Remaining': String(deciding.remaining),
    'X-RateLimit-Reset': String(Math.ceil(deciding.resetMs)),
    'RateLimit-Policy': quotas.map(policyItem).join(', '),
    RateLimit: quotas.map((quota) => limitItem(quota, nowMs)).join(', '),
  };
  if (decision.bypassed) headers['X-RateLimit-Bypass'] = 'true';
  if (!decision.allowed) headers['Retry-After'] = String(Math.max(1, seconds(decision.retryAfter)));
  return headers;
}

/** The limits that hold, each name once, the one that decided first. */
function enforcedQuotas(decision: CheckLimitResponse, nowMs: number): readonly Quota[] {
  const byName = new Map<string, Quota>();
  const decidedByShadow = decision.limits.length > 0 && decision.limits.every(({ shadow }) => shadow);
  if (decision.limit > 0 && !decidedByShadow) {
    const deciding = quota(decision, nowMs);
    byName.set(deciding.name, deciding);
  }
  for (const status of decision.limits) {
    if (status.shadow) continue;
    const other = quota(status, nowMs);
    const same = byName.get(other.name);
    if (same === undefined || other.remaining < same.remaining) byName.set(other.name, other);
  }
  return [...byName.values()];
}

function quota(
  of: Pick<CheckLimitResponse, 'rule' | 'limitName' | 'algorithm' | 'limit' | 'remaining' | 'window'> & {
    readonly resetTime?: Timestamp | undefined;
  },
  nowMs: number,
): Quota {
  const { rule, limitName, algorithm, limit, remaining, resetTime, window } = of;
  return {
    name: limitName === '' ? rule : `${rule}:${limitName}`,
    algorithm,
    limit,
    remaining,
    resetMs: resetTime === undefined ? nowMs : Number(resetTime.seconds) * 1000 + resetTime.nanos / 1e6,
    window,
  };
}

function policyItem({ name, algorithm, limit, window }: Quota): string {
  const held = algorithm === Algorithm.CONCURRENCY;
  return `"${name}";q=${limit};${held ? 'qu="concurrent-requests"' : `w=${seconds(window)}`}`;
}

function limitItem({ name, remaining, resetMs }: Quota, nowMs: number): string {
  return `"${name}";r=${remaining};t=${Math.max(0, Math.ceil((resetMs - nowMs) / 1000))}`;
}

/** Whole seconds, rounded up: protobuf-es's durationMs() would lose what is below half a millisecond. */
function seconds(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) + Math.ceil(duration.nanos / 1e9);
}
