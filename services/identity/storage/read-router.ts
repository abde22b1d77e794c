import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { DatabaseUnavailable } from '../domain/errors.ts';
import { query } from './sql.ts';

/** A copy of the primary that follows its write-ahead log, and may be behind. */
export interface Replica {
  /** For the log: host and port. */
  readonly name: string;
  readonly em: EntityManager;
}

export interface ReadRouterOptions {
  readonly primary: EntityManager;
  readonly replicas: readonly Replica[];
  /** How long a replica may take to have all that was written before, in milliseconds. Default: 50. */
  readonly catchUpMs?: number;
  /** How long a replica is left alone that is away or was too far behind, in milliseconds. Default: 3000. */
  readonly restMs?: number;
  /** Told when a replica is left alone for a while, and why. */
  readonly onLeftAlone?: (replica: string, reason: string) => void;
}

/** A point of a server's history: the server, and how far its log was written. */
interface LogPosition {
  readonly system: string;
  readonly lsn: string;
}

const POLL_MS = 5;

/**
 * Chooses where reads go that replicas may serve: in turn to each replica that has everything written before the read
 * began, by whomever, else to the primary. Who has been told that something is written thus always reads it.
 *
 * The proof is the write-ahead log: the primary says how far it is written, and a replica that has replayed it that far
 * has every transaction that was committed by then.
 */
export class ReadRouter {
  readonly #options: ReadRouterOptions;
  readonly #catchUpMs: number;
  readonly #restMs: number;
  readonly #restingUntil = new Map<Replica, number>();
  #turn = 0;

  constructor(options: ReadRouterOptions) {
    this.#options = options;
    this.#catchUpMs = options.catchUpMs ?? 50;
    this.#restMs = options.restMs ?? 3000;
  }

  /**
   * What to read by. The replica may still be lost before it is read from: {@link read} covers that too.
   *
   * @throws DatabaseUnavailable where there are replicas and the primary can't say what is written.
   */
  async reader(): Promise<EntityManager> {
    return (await this.#upToDateReplica())?.em ?? this.#options.primary;
  }

  /**
   * Runs a read, and once more on the primary where a replica fails in the middle of it. `work` only reads, and leaves
   * nothing behind where it fails.
   *
   * @throws DatabaseUnavailable, or whatever `work` throws.
   */
  async read<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    const replica = await this.#upToDateReplica();
    if (replica === null) return await work(this.#options.primary);
    try {
      return await work(replica.em);
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error;
      this.#leaveAlone(replica, reasonOf(error));
      return await work(this.#options.primary);
    }
  }

  async #upToDateReplica(): Promise<Replica | null> {
    const replica = this.#next();
    if (replica === null) return null;
    const position = await this.#written();
    const reason = await this.#catchUp(replica, position);
    if (reason === null) return replica;
    this.#leaveAlone(replica, reason);
    return null;
  }

  /** The replica whose turn it is among those that are not left alone. */
  #next(): Replica | null {
    const now = performance.now();
    const { replicas } = this.#options;
    for (let tries = 0; tries < replicas.length; tries++) {
      const replica = replicas[this.#turn++ % replicas.length];
      if (replica !== undefined && (this.#restingUntil.get(replica) ?? 0) <= now) return replica;
    }
    return null;
  }

  #leaveAlone(replica: Replica, reason: string): void {
    this.#restingUntil.set(replica, performance.now() + this.#restMs);
    this.#options.onLeftAlone?.(replica.name, reason);
  }

  async #written(): Promise<LogPosition> {
    // Inserted and not flushed: with synchronous_commit off, commits are acknowledged before they are flushed.
    const [row] = await query<LogPosition>(
      this.#options.primary,
      `select pg_current_wal_insert_lsn()::text as lsn, (select system_identifier::text from pg_control_system()) as system`,
      [],
    );
    if (row === undefined) throw new DatabaseUnavailable();
    return row;
  }

  /** Null once the replica is there; else why it is not to be used. A replica that does not answer costs no more time. */
  async #catchUp({ em }: Replica, position: LogPosition): Promise<string | null> {
    const late = new AbortController();
    const tooLate = sleep(this.#catchUpMs, 'too far behind, or too slow to say', { signal: late.signal });
    try {
      return await Promise.race([tooLate, this.#poll(em, position, late.signal)]);
    } catch (error) {
      return reasonOf(error);
    } finally {
      late.abort();
    }
  }

  async #poll(em: EntityManager, { system, lsn }: LogPosition, signal: AbortSignal): Promise<string | null> {
    while (!signal.aborted) {
      const [row] = await query<{ follows: boolean; reached: boolean | null }>(
        em,
        `select pg_is_in_recovery() and system_identifier::text = ? as follows,
           pg_last_wal_replay_lsn() >= ?::pg_lsn as reached
         from pg_control_system()`,
        [system, lsn],
      );
      if (row?.follows !== true) return 'not a replica of this primary';
      if (row.reached === true) return null;
      await sleep(POLL_MS);
    }
    return 'given up';
  }
}

function reasonOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : {};
  if (cause instanceof Error) return cause.message;
  return error instanceof Error ? error.message : String(error);
}
