/** Which statements count as slow, and what the log has of them. Read at each statement, so that it can change. */
export interface SlowQuerySettings {
  /** Statements that take this long are logged, in milliseconds; 0: none is. */
  thresholdMs: number;
  /** Whether their plans are logged too. */
  plans: boolean;
}
