import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import {
  type CheckLimitResponse,
  DecisionSource,
} from '../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import type { HttpFacts } from '../../http/http-facts.ts';
import type { Check, LimitAnswer } from '../limiter.ts';
import { endOfRequest } from './end-of-request.ts';
import { LimitCheckFailed } from './limit-check-failed.ts';
import { limitHeaders } from './limit-headers.ts';
import type { LimitOptions } from './limit-options.ts';

/** The request goes on. */
export interface Passed {
  readonly pass: true;
  /** For the handler's response; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * To be told once, when the answer is out: gives back what is to be given back. Undefined status: the caller left
   * before. Not there where nothing can be given back.
   */
  readonly ended: ((status: number | undefined) => void) | undefined;
}

/** The request is refused. */
export interface Refused {
  readonly pass: false;
  /**
   * `limited`: there is no room. `unavailable`: nobody could tell, and such requests are denied (the client's
   * `whenUnreachable: 'deny'`, or FAIL_CLOSED while the limiter's store is away).
   */
  readonly why: 'limited' | 'unavailable';
  /** For the refusal; names in lower case. `retry-after` is among them where trying again can help. */
  readonly headers: Readonly<Record<string, string>>;
  /** When trying again can help, in milliseconds; undefined where the request takes more than its limit ever has. */
  readonly retryAfterMs: number | undefined;
  readonly decision: CheckLimitResponse | undefined;
}

/** How long a caller waits before it asks a service again that can't be asked now, in milliseconds. */
const UNAVAILABLE_RETRY_MS = 1000;

const UNLIMITED: Passed = { pass: true, headers: {}, ended: undefined };

/**
 * What all middleware does with a request, whatever its protocol: asks the limiter once.
 *
 * @throws TypeError (at once) for more than 15 further keys
 * @returns a function that rejects with LimitCheckFailed where the limiter gave no answer, and with what the functions
 *   among the options throw
 */
export function checkRequest<Request>(
  options: LimitOptions<Request>,
): (request: Request, facts: HttpFacts) => Promise<Passed | Refused> {
  const { limiter, skip, headers: choice = 'all', refundOn } = options;
  if ((options.also?.length ?? 0) > 15) throw new TypeError('also: at most 15 further keys');
  return async (request, facts) => {
    if (await skip?.(request, facts)) return UNLIMITED;
    const check = await checkOf(options, request, facts);
    if (check === undefined) return UNLIMITED;
    let answer: LimitAnswer;
    try {
      answer = await limiter.check({ ...check, refundable: refundOn !== undefined });
    } catch (error) {
      if (!isTooMuch(error)) throw new LimitCheckFailed(error);
      return { pass: false, why: 'limited', headers: {}, retryAfterMs: undefined, decision: undefined };
    }
    const { allowed, decision } = answer;
    if (!allowed) return refused(decision, choice);
    const headers = decision === undefined ? {} : limitHeaders(decision, choice);
    return { pass: true, headers, ended: endOfRequest(options, decision?.receipt ?? '') };
  };
}

/** The request as the limiter is asked for it; undefined where there is nothing to count it against. */
async function checkOf<Request>(
  { endpoint, key, also = [], cost = 1, roles }: LimitOptions<Request>,
  request: Request,
  facts: HttpFacts,
): Promise<Check | undefined> {
  const name = typeof endpoint === 'string' ? endpoint : endpoint(request, facts);
  if (name === undefined) return undefined;
  const units = typeof cost === 'number' ? cost : cost(request, facts);
  const targets = [];
  for (const target of [{ key }, ...also]) {
    const identifier = await target.key(request, facts);
    if (identifier === undefined) continue;
    targets.push({ endpoint: target.endpoint ?? name, identifier, cost: target.cost ?? units });
  }
  const [first, ...further] = targets;
  if (first === undefined) return undefined;
  return { ...first, also: further, roles: [...(roles?.(request, facts) ?? [])] };
}

function refused(decision: CheckLimitResponse | undefined, choice: LimitOptions<never>['headers']): Refused {
  // A store that is away says nothing about the caller's quota.
  const unavailable = decision === undefined || decision.source === DecisionSource.FALLBACK_CLOSED;
  const wait = decision?.retryAfter;
  const waitMs = wait === undefined ? 0 : Number(wait.seconds) * 1000 + wait.nanos / 1e6;
  const retryAfterMs = unavailable ? Math.max(waitMs, UNAVAILABLE_RETRY_MS) : waitMs;
  return {
    pass: false,
    why: unavailable ? 'unavailable' : 'limited',
    headers: {
      ...(unavailable ? {} : limitHeaders(decision, choice ?? 'all')),
      'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
    },
    retryAfterMs,
    decision,
  };
}

/** A cost above the limit could never be allowed: to a caller that is a denial, as it is where the limit is used up. */
function isTooMuch(error: unknown): boolean {
  return (
    error instanceof ConnectError &&
    error.code === Code.InvalidArgument &&
    error.findDetails(ErrorInfoSchema).some(({ reason }) => reason === 'COST_EXCEEDS_LIMIT')
  );
}
