/** Answer of the limiter. */
export interface LimitDecision {
  readonly allowed: boolean;
  /** On a denial, least time to wait, in milliseconds; 0 otherwise. */
  readonly retryAfterMs: number;
}

/** Counts one attempt against the rule of an endpoint. */
export interface Limiter {
  /** @throws RateLimiterUnavailable where the limiter can't be asked. */
  check(endpoint: string, identifier: string, signal?: AbortSignal): Promise<LimitDecision>;
}
