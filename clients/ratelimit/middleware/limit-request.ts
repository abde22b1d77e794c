import type { HttpFacts } from '../../http/http-facts.ts';
import { type HttpAnswer, problemAnswer } from '../../http/problem.ts';
import { checkRequest, type Passed, type Refused } from './check-request.ts';
import type { LimitOptions } from './limit-options.ts';

/** A refusal, for an answer of one's own. */
export interface Denial extends Omit<Refused, 'pass' | 'headers'> {
  /** What is answered by default. */
  readonly answer: HttpAnswer;
}

/** What middleware of an HTTP framework limits, and how. */
export interface HttpLimitOptions<Request> extends LimitOptions<Request> {
  /** Answers a refused request in one's own way. The headers of the limit are put on this answer too. */
  readonly onDenied?: ((request: Request, denial: Denial) => HttpAnswer | Promise<HttpAnswer>) | undefined;
}

/** The request is answered here. */
export interface Answered {
  readonly pass: false;
  readonly answer: HttpAnswer;
}

/**
 * Limits HTTP requests, in no framework: an adapter asks before its handler, then puts `headers` on the response or
 * sends `answer`.
 *
 * Refusals are `application/problem+json` (RFC 9457): 429 (RFC 6585) with `rule` and, in seconds, `retry_after`, or 503
 * where the limiter can't be asked; both with Retry-After.
 *
 * @throws TypeError as checkRequest() does
 * @returns a function that rejects as checkRequest()'s does: for the framework to answer as its own errors
 */
export function limitRequest<Request>(
  options: HttpLimitOptions<Request>,
): (request: Request, facts: HttpFacts) => Promise<Passed | Answered> {
  const check = checkRequest(options);
  const { onDenied } = options;
  return async (request, facts) => {
    const outcome = await check(request, facts);
    if (outcome.pass) return outcome;
    const answer = problem(outcome);
    if (onDenied === undefined) return { pass: false, answer };
    const { why, retryAfterMs, decision, headers } = outcome;
    const own = await onDenied(request, { why, retryAfterMs, decision, answer });
    const ownHeaders = Object.entries(own.headers).map(([name, value]) => [name.toLowerCase(), value]);
    return { pass: false, answer: { ...own, headers: { ...headers, ...Object.fromEntries(ownHeaders) } } };
  };
}

function problem({ why, headers, decision }: Refused): HttpAnswer {
  const retryAfter = headers['retry-after'];
  const again = retryAfter === undefined ? {} : { retry_after: Number(retryAfter) };
  if (why === 'unavailable') {
    return problemAnswer({
      status: 503,
      title: 'Service Unavailable',
      detail: `Requests can't be counted at the moment. Try again in ${retryAfter} s.`,
      members: again,
      headers,
    });
  }
  return problemAnswer({
    status: 429,
    title: 'Too Many Requests',
    detail:
      retryAfter === undefined
        ? 'The request takes more than its limit ever allows.'
        : `The limit is used up. Try again in ${retryAfter} s.`,
    members: { ...again, ...(decision === undefined ? {} : { rule: decision.rule }) },
    headers,
  });
}
