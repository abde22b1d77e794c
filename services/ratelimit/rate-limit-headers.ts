import { type Duration, durationMs, timestampMs } from '@bufbuild/protobuf/wkt';
import type { Interceptor } from '@connectrpc/connect';
import {
  type CheckLimitResponse,
  RateLimitService,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';

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

/**
 * The decision as response headers, for HTTP gateways that pass them on:
 * X-RateLimit-Limit and -Remaining in units, -Reset in milliseconds since 1970, Retry-After in whole seconds on a
 * denial (RFC 9110 section 10.2.3), X-RateLimit-Bypass where a role passed uncounted, and the RateLimit and
 * RateLimit-Policy pair of draft-ietf-httpapi-ratelimit-headers.
 */
export function rateLimitHeaders(decision: CheckLimitResponse, nowMs: number): Record<string, string> {
  // Nothing is limited where limiting is off.
  if (decision.limit === 0) return {};
  const resetMs = decision.resetTime === undefined ? nowMs : timestampMs(decision.resetTime);
  const headers: Record<string, string> = {
    'X-RateLimit-Limit': String(decision.limit),
    'X-RateLimit-Remaining': String(decision.remaining),
    'X-RateLimit-Reset': String(Math.ceil(resetMs)),
    'RateLimit-Policy': `"${decision.rule}";q=${decision.limit};w=${seconds(decision.window)}`,
    RateLimit: `"${decision.rule}";r=${decision.remaining};t=${Math.max(0, Math.ceil((resetMs - nowMs) / 1000))}`,
  };
  if (decision.bypassed) headers['X-RateLimit-Bypass'] = 'true';
  if (!decision.allowed) headers['Retry-After'] = String(Math.max(1, seconds(decision.retryAfter)));
  return headers;
}

/** Puts the headers on answers over HTTP; gRPC callers have it all in the message. */
export const rateLimitHeadersInterceptor: Interceptor = (next) => async (request) => {
  const response = await next(request);
  if (!response.stream && request.method === RateLimitService.method.checkLimit) {
    const headers = rateLimitHeaders(response.message as CheckLimitResponse, Date.now());
    for (const [name, value] of Object.entries(headers)) response.header.set(name, value);
  }
  return response;
};

function seconds(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Math.ceil(durationMs(duration) / 1000);
}
