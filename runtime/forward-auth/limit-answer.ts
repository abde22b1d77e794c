import { type HttpAnswer, problemAnswer } from '../../clients/http/problem.ts';
import { rateLimitHeaders } from '../../clients/ratelimit/rate-limit-headers.ts';
import {
  type CheckLimitResponse,
  DecisionSource,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { goOn } from './forward-auth-routes.ts';

/**
 * The limiter's decision as an answer: 200 or 429 (RFC 6585 section 4), each with the rate-limit headers; 503 where its
 * store is away and the rule refuses then, which says nothing about the client's quota.
 *
 * @param headers further ones of a request that may go on
 */
export function limitAnswer(
  decision: CheckLimitResponse,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  const limits = rateLimitHeaders(decision, Date.now());
  if (decision.allowed) return goOn({ ...headers, ...limits });
  const seconds = limits['Retry-After'] ?? '1';
  if (decision.source === DecisionSource.FALLBACK_CLOSED) {
    return problemAnswer({
      status: 503,
      title: 'Service Unavailable',
      detail: `Requests can't be counted at the moment. Try again in ${seconds} s.`,
      members: { retry_after: Number(seconds) },
      headers: { 'Retry-After': seconds },
    });
  }
  return problemAnswer({
    status: 429,
    title: 'Too Many Requests',
    detail: `The limit is used up. Try again in ${seconds} s.`,
    members: { retry_after: Number(seconds), rule: decision.rule },
    headers: limits,
  });
}
