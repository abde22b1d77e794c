import { Code, ConnectError } from '@connectrpc/connect';
import type { LimitAnswer } from './limiter.ts';

/**
 * What becomes of a check where the service can't be reached: `allow` lets operations pass uncounted, `deny` lets none
 * pass, `throw` leaves it to each caller.
 */
export type UnreachablePolicy = 'allow' | 'deny' | 'throw';

/** Whether an error says that the service could not be asked, or did not answer in time. */
export function isUnreachable(error: ConnectError): boolean {
  return error.code === Code.Unavailable || error.code === Code.DeadlineExceeded;
}

/**
 * The policy's answer to a check that failed.
 *
 * @throws `error` where the policy says so, and where the service was reached
 */
export function policyAnswer(policy: UnreachablePolicy, error: unknown): LimitAnswer {
  if (policy === 'throw' || !(error instanceof ConnectError) || !isUnreachable(error)) throw error;
  return { allowed: policy === 'allow', decision: undefined, answeredBy: 'policy' };
}
