/** What a run of a task came to. */
export interface TaskResult {
  /** What it dealt with: rows, partitions. */
  readonly count: number;
  /** Whether it stopped before its end: it runs again once the others that are due have had their turn. */
  readonly hasMore: boolean;
}

/** Work that the service does by itself from time to time. It does no harm where two replicas do it at once. */
export interface MaintenanceTask {
  /** Lower case, for example `expired_tokens`. */
  readonly name: string;
  /** What it does, in one sentence. */
  readonly description: string;
  /** Time between two runs, in milliseconds. */
  readonly intervalMs: number;
  /**
   * Runs the task; ends soon after the signal is aborted, between two statements.
   *
   * @throws DatabaseUnavailable, or an error whose message may be shown to operators
   */
  run(signal: AbortSignal): Promise<TaskResult>;
}
