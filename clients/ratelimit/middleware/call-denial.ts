import { Code } from '@connectrpc/connect';
import type { Refused } from './check-request.ts';
import { LimitCheckFailed } from './limit-check-failed.ts';

/** How a call ends that does not reach its handler, over Connect and over gRPC. */
export interface CallDenial {
  readonly code: Code;
  readonly message: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** For google.rpc.RetryInfo, whole milliseconds. */
  readonly retryDelayMs: number | undefined;
}

/** A refused call: RESOURCE_EXHAUSTED, or UNAVAILABLE where nobody could tell. */
export function callDenial({ why, headers, retryAfterMs }: Refused): CallDenial {
  return {
    code: why === 'limited' ? Code.ResourceExhausted : Code.Unavailable,
    message: messageOf(why, headers['retry-after']),
    headers,
    retryDelayMs: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs),
  };
}

/** A call whose limit could not be checked. It tells nothing of the error. */
export function callFailure(error: unknown): CallDenial {
  const again = error instanceof LimitCheckFailed && error.statusCode === 503;
  return {
    code: again ? Code.Unavailable : Code.Internal,
    message: 'the rate limit could not be checked',
    headers: {},
    retryDelayMs: undefined,
  };
}

function messageOf(why: Refused['why'], retryAfter: string | undefined): string {
  if (why === 'unavailable') return `calls can't be counted at the moment; try again in ${retryAfter} s`;
  if (retryAfter === undefined) return 'the call takes more than its limit ever allows';
  return `the limit is used up; try again in ${retryAfter} s`;
}
