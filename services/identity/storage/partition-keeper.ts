import type { EntityManager } from '@mikro-orm/postgresql';
import { pause } from '../../../runtime/timers.ts';
import { query } from './sql.ts';

/** Tables that are partitioned by the time in their ids: a partition a month of UTC. */
export const PARTITIONED_TABLES = ['sessions_history', 'security_events'] as const;

/** Months that are prepared beyond the present one: as long the database may be without a running service. */
const MONTHS_AHEAD = 3;

export interface PartitionKeeperOptions {
  readonly em: EntityManager;
  /** Told the names of partitions that were made. */
  readonly onMade?: (partitions: readonly string[]) => void;
  /** Told of each failure. None matters at once: the partitions of the next months are there. */
  readonly onError: (error: unknown) => void;
  /** Pause after a success, in milliseconds. Default: an hour. */
  readonly intervalMs?: number;
  /** Pause after a failure, in milliseconds. Default: a minute. */
  readonly retryMs?: number;
}

/**
 * Makes the partitions of the coming months in time: now, and every hour. Several replicas may do so at once. Without a
 * partition of its own a row goes to the table's default one, which works and is never dropped by age.
 */
export class PartitionKeeper implements AsyncDisposable {
  readonly #options: PartitionKeeperOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;

  constructor(options: PartitionKeeperOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    const { intervalMs = 3_600_000, retryMs = 60_000 } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await pause((await this.#ensure()) ? intervalMs : retryMs, signal);
    }
  }

  async #ensure(): Promise<boolean> {
    const { em, onMade, onError } = this.#options;
    try {
      for (const table of PARTITIONED_TABLES) {
        const made = await query<{ name: string }>(
          em,
          'select user_service.ensure_partitions(?, null, ?) as name',
          [table, MONTHS_AHEAD],
        );
        if (made.length > 0) onMade?.(made.map(({ name }) => name));
      }
      return true;
    } catch (error) {
      onError(error);
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }
}
