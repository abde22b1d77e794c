/** State of one key after a check. */
export interface LimitState {
  readonly allowed: boolean;
  /** Units left in the current window. */
  readonly remaining: number;
  /** When the whole limit is back if nothing more is taken, in µs since the epoch. */
  readonly resetMicros: number;
  /** Least time until the same cost can be allowed, in µs; 0 when allowed. */
  readonly retryAfterMicros: number;
}

/** Counts units by key. Every implementation decides like the reference model in sliding-window-log.ts. */
export interface LimitStore {
  readonly source: 'REDIS' | 'MEMORY';
  /**
   * Takes `cost` units if that keeps the key within `limit` units in any `windowMicros`; else changes nothing.
   *
   * `cost` is 1 to `limit`; the caller checks that. A store that answers without waiting returns no promise.
   */
  take(key: string, cost: number, limit: number, windowMicros: number): Promise<LimitState> | LimitState;
}
