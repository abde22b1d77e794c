import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  CheckLimitRequestSchema,
  CheckLimitResponse,
  PeekLimitResponse,
  RefundLimitResponse,
  RenewLeaseResponse,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';

/** One operation, as CheckLimit takes it. */
export type Check = MessageInitShape<typeof CheckLimitRequestSchema>;

/** How one call is made. */
export interface CheckOptions {
  /** Gives the call up. */
  readonly signal?: AbortSignal | undefined;
  /** Instead of the limiter's own `timeoutMs`, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** The answer to a check. */
export interface LimitAnswer {
  readonly allowed: boolean;
  /** What the service said, or this process remembered of it; undefined where the service could not be asked. */
  readonly decision: CheckLimitResponse | undefined;
  /**
   * Who answered: the service; this process, out of a denial that it remembers; or the policy for a service that
   * can't be reached (`whenUnreachable`).
   */
  readonly answeredBy: 'service' | 'denial_cache' | 'policy';
}

/** Answers to several checks. */
export interface LimitAnswers {
  /** One for each check, in order. */
  readonly answers: readonly LimitAnswer[];
  readonly allAllowed: boolean;
  /** With `allOrNothing`: what RefundLimit takes for the whole; else ''. */
  readonly receipt: string;
}

/** Whether the service can be asked. */
export type LimiterState = 'reachable' | 'unreachable';

/**
 * Asks the rate limiter, and has an answer also where it can't be asked. Checks go over one stream that is opened with
 * the first of them and again whenever it was lost; those of one turn of the event loop share a message.
 */
export interface Limiter extends Disposable {
  /** As it was found last: a change of it is noticed by a check that fails, or by the probes that follow. */
  readonly state: LimiterState;
  /**
   * Counts one operation.
   *
   * @throws ConnectError INVALID_ARGUMENT, PERMISSION_DENIED and so on, where asking again would be as wrong; what the
   *   policy `throw` lets through where the service can't be reached; CANCELED where the signal was aborted
   */
  check(check: Check, options?: CheckOptions): Promise<LimitAnswer>;
  /**
   * Counts several in one call: each by itself or, with `allOrNothing`, all or none. Where one of them is not good
   * nothing is counted, and the error names it (`checks[3].endpoint`). Remembered denials are not looked at.
   *
   * @throws as check()
   */
  checkAll(
    checks: readonly Check[],
    options?: CheckOptions & { readonly allOrNothing?: boolean },
  ): Promise<LimitAnswers>;
  /** Looks, and counts nothing. @throws ConnectError, UNAVAILABLE too: there is no policy for looking */
  peek(check: Check, options?: CheckOptions): Promise<PeekLimitResponse>;
  /** Gives back what the decision with this receipt took. @throws ConnectError, UNAVAILABLE too */
  refund(receipt: string, options?: CheckOptions): Promise<RefundLimitResponse>;
  /** Lets the leases of this receipt last for another window. @throws ConnectError, UNAVAILABLE too */
  renew(receipt: string, options?: CheckOptions): Promise<RenewLeaseResponse>;
}
