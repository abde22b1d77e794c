import { pause } from '../../../runtime/timers.ts';
import type { Revocation } from './revocation.ts';

/** Revocations in the order of their commits. */
export interface RevocationLog {
  /** Those from this id on, itself included, in order. */
  from(id: bigint, limit: number): Promise<Revocation[]>;
  /** The last ones, in order. */
  newest(limit: number): Promise<Revocation[]>;
  /** Those above this id that have not run out, by `at` and by the database's clock, in order. */
  unexpiredAfter(id: bigint, at: Date, limit: number): Promise<Revocation[]>;
  /**
   * Deletes some that have run out by `at` and by the database's clock: no replica's clock alone has any forgotten. The last
   * one of all stays, and what came last ten minutes ago: who is behind by less finds the position where it was.
   *
   * @returns how many
   */
  deleteExpired(at: Date, limit: number): Promise<number>;
}

/** Where in the log a reader is: after this revocation. `id` 0 is before all of them. */
export interface LogPosition {
  readonly id: bigint;
  /** In milliseconds since 1970: an id may be given out twice where a database was restored from a backup. */
  readonly createdAt: number;
}

/** What one read of the log gave. */
export interface FeedRead {
  readonly revocations: readonly Revocation[];
  /** When the read began, by performance.now() and by Date.now(): everything committed before it is known by now. */
  readonly beganAt: { readonly monotonic: number; readonly wall: number };
  /** False where there may be revocations from just before that no read has told of. */
  readonly isComplete: boolean;
  /** Whether this is all there is for now. */
  readonly isLast: boolean;
}

export interface RevocationFeedOptions {
  readonly log: RevocationLog;
  /** Given every read in turn, and waited for. */
  readonly listeners: readonly ((read: FeedRead) => void | Promise<void>)[];
  /** Told when reading fails that went well before; it goes on. */
  readonly onFailure: (error: unknown) => void;
  /** Time between two reads, in ms. Default: 250. */
  readonly intervalMs?: number;
  /** Time between two rounds of deleting what has run out, in ms. Default: 60,000. */
  readonly cleaningMs?: number;
}

export const START: LogPosition = { id: 0n, createdAt: 0 };

/** The position after these. */
export function positionAfter(revocations: readonly Revocation[], before: LogPosition): LogPosition {
  const last = revocations.at(-1);
  return last === undefined ? before : { id: last.id, createdAt: last.createdAt.getTime() };
}

const PAGE = 1_000;
/** How far back a process looks at its start, for what others may not have carried out yet. */
const LOOK_BACK = 5_000;
const LOOK_BACK_MS = 600_000;
const CLEANED_AT_ONCE = 1_000;

/** Reads what was revoked, once for the whole process, four times a second. */
export class RevocationFeed implements AsyncDisposable {
  readonly #options: RevocationFeedOptions;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #position: LogPosition | null = null;
  #upToDateAt = performance.now();
  #failedReads = 0;
  #cleanedAt = performance.now();

  /** Starts reading in the background. */
  constructor(options: RevocationFeedOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** How far this process is behind at this moment, and how often it could not read. */
  get figures(): {
    /**
     * How long ago the read began that was carried out last, in ms: everything committed before it is known here. Before
     * the first one, how long it has been waited for.
     */
    readonly lagMs: number;
    /** Reads that failed, or that a listener could not take in. */
    readonly failedReads: number;
  } {
    return { lagMs: performance.now() - this.#upToDateAt, failedReads: this.#failedReads };
  }

  async #run(): Promise<void> {
    const { intervalMs = 250, onFailure } = this.#options;
    let failing = false;
    while (!this.#end.signal.aborted) {
      try {
        await this.#readAll();
        await this.#clean();
        failing = false;
      } catch (error) {
        if (!failing) onFailure(error);
        failing = true;
      }
      await pause(intervalMs, this.#end.signal);
    }
  }

  async #readAll(): Promise<void> {
    for (;;) {
      const { isLast, beganAt } = await this.#readAndTell();
      if (isLast) this.#upToDateAt = beganAt.monotonic;
      if (isLast || this.#end.signal.aborted) return;
    }
  }

  async #readAndTell(): Promise<FeedRead> {
    try {
      const read = await this.#read();
      for (const listen of this.#options.listeners) await listen(read);
      // Not before: what a listener could not take in comes again.
      this.#position = positionAfter(read.revocations, this.#position ?? START);
      return read;
    } catch (error) {
      this.#failedReads += 1;
      throw error;
    }
  }

  async #read(): Promise<FeedRead> {
    const beganAt = { monotonic: performance.now(), wall: Date.now() };
    if (this.#position === null) return await this.#readNewest(beganAt, true);
    const { id, createdAt } = this.#position;
    const rows = await this.#options.log.from(id, PAGE);
    const isLast = rows.length < PAGE;
    if (id !== START.id) {
      const self = rows.shift();
      if (self?.id !== id || self.createdAt.getTime() !== createdAt) {
        // The database is not the one that it was: it was restored, or a standby took over that lacked something.
        this.#position = START;
        return await this.#readNewest(beganAt, false);
      }
    }
    return { revocations: rows, beganAt, isComplete: true, isLast };
  }

  async #readNewest(beganAt: FeedRead['beganAt'], isStart: boolean): Promise<FeedRead> {
    const rows = await this.#options.log.newest(LOOK_BACK);
    const oldest = rows[0]?.createdAt.getTime() ?? 0;
    const reachesBack = rows.length < LOOK_BACK || oldest < beganAt.wall - LOOK_BACK_MS;
    return { revocations: rows, beganAt, isComplete: isStart && reachesBack, isLast: true };
  }

  async #clean(): Promise<void> {
    if (performance.now() - this.#cleanedAt < (this.#options.cleaningMs ?? 60_000)) return;
    const deleted = await this.#options.log.deleteExpired(new Date(), CLEANED_AT_ONCE);
    // A batch with each read until there are no more.
    if (deleted < CLEANED_AT_ONCE) this.#cleanedAt = performance.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }
}
