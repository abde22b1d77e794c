/** How a task stands, as it is kept. */
export interface TaskState {
  readonly name: string;
  readonly nextRunAt: Date;
  /** Null where it never began. */
  readonly lastStartedAt: Date | null;
  /** Null where it never ended. */
  readonly lastFinishedAt: Date | null;
  /** Null where it never ended well. */
  readonly lastSucceededAt: Date | null;
  /** Empty where the last run did not fail. */
  readonly lastError: string;
  readonly lastCount: bigint;
  readonly totalCount: bigint;
  readonly isRunning: boolean;
  /** How long it is overdue, in milliseconds; 0 where it is not. */
  readonly lagMs: number;
}

/** How a run ended. */
export interface TaskEnd {
  /** Who ran it. */
  readonly holder: string;
  /** What it dealt with; null where it failed. */
  readonly count: number | null;
  /** Empty where it did not fail. */
  readonly error: string;
  /** The task runs again this soon at the latest, in milliseconds; null for its interval. */
  readonly againInMs: number | null;
}

/**
 * What replicas share about maintenance: who does it, and when each task runs. All times are the store's. Each method throws
 * DatabaseUnavailable where the database is away.
 */
export interface MaintenanceStore {
  /**
   * Makes `holder` the one replica that does the maintenance, for `leaseMs` from now; renews where it is that already.
   *
   * @returns false where another one is
   */
  lead(holder: string, leaseMs: number): Promise<boolean>;
  /** Ends the lease of `holder`, for another one to follow at once. */
  resign(holder: string): Promise<void>;
  /** Adds those tasks that are not known: they are due at once. */
  register(names: readonly string[]): Promise<void>;
  /** The task among `names` that is due for the longest time; one that was begun and never ended is due. */
  findDue(names: readonly string[]): Promise<string | null>;
  /** Notes that a run begins, and when the next one is due. False where `holder` does not lead any more. */
  begin(name: string, run: { readonly holder: string; readonly intervalMs: number }): Promise<boolean>;
  /** Notes how a run ended; nothing where another replica has begun it anew. */
  finish(name: string, end: TaskEnd): Promise<void>;
  /** Has a task be due now. */
  request(name: string): Promise<TaskState>;
  /** The tasks that are known, by name, and the replica that leads; null where none does. */
  status(): Promise<{ readonly tasks: readonly TaskState[]; readonly runner: string | null }>;
}
