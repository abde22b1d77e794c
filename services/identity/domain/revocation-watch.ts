import { RevocationsInterrupted, TooManyWatchers, WatcherTooSlow } from './errors.ts';
import type { Revocation } from './revocation.ts';
import {
  type FeedRead,
  type LogPosition,
  positionAfter,
  type RevocationLog,
  START,
} from './revocation-feed.ts';
import { RevocationWatcher } from './revocation-watcher.ts';

/** What a watcher is told at a time. */
export interface WatchPart {
  readonly revocations: readonly Revocation[];
  /** Where the watcher is with this part. */
  readonly position: LogPosition;
  /** Whether it belongs to a snapshot: what was known before may lack something. */
  readonly isSnapshot: boolean;
  /** Whether it is the first with which the watcher is up to date. */
  readonly isCaughtUp: boolean;
  /** Everything that was committed before this is in it or in the parts before, in milliseconds since 1970. */
  readonly readAt: number;
}

/** Watchers of one process. */
const MOST_WATCHERS = 1_000;
/** Revocations in one part: below 100 KB. */
const PART = 500;

/**
 * Tells watchers of revocations: first of those that still matter, from the database page by page, then of each new one,
 * as the process's one feed reads it. No watcher holds up another one or the feed.
 */
export class RevocationWatch {
  readonly #log: RevocationLog;
  readonly #now: () => Date;
  readonly #watchers = new Set<RevocationWatcher>();

  constructor(log: RevocationLog, now: () => Date) {
    this.#log = log;
    this.#now = now;
  }

  /** Takes what the feed has read. */
  readonly listen = ({ revocations, beganAt, isComplete, isLast }: FeedRead): void => {
    for (const watcher of this.#watchers) {
      if (!isComplete) watcher.fail('interrupted');
      else if (isLast || revocations.length > 0) watcher.push(revocations, beganAt.wall);
    }
  };

  /**
   * What was revoked, from a position on; without one, or where it is not known any more, all that still matters and then
   * what comes. A part comes at least every second while the database answers. It ends with the signal's reason.
   *
   * @throws TooManyWatchers, WatcherTooSlow, RevocationsInterrupted, DatabaseUnavailable
   */
  async *watch(from: LogPosition | null, signal: AbortSignal): AsyncGenerator<WatchPart> {
    if (this.#watchers.size >= MOST_WATCHERS) throw new TooManyWatchers(MOST_WATCHERS);
    const watcher = new RevocationWatcher();
    this.#watchers.add(watcher);
    try {
      const isKnown = from !== null && (await this.#knows(from));
      const position = yield* this.#catchUp(watcher, isKnown ? from : START, !isKnown, signal);
      yield* this.#follow(watcher, position, signal);
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** Whether everything after a position can still be told. */
  async #knows({ id, createdAt }: LogPosition): Promise<boolean> {
    if (id === START.id) return true;
    const [self] = await this.#log.from(id, 1);
    return self?.id === id && self.createdAt.getTime() === createdAt;
  }

  async *#catchUp(
    watcher: RevocationWatcher,
    from: LogPosition,
    isSnapshot: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<WatchPart, LogPosition> {
    let position = from;
    for (;;) {
      signal.throwIfAborted();
      // What the feed reads from now on waits; should it be too much, the next page has it.
      watcher.restart();
      const readAt = this.#now();
      const revocations = await this.#log.unexpiredAfter(position.id, readAt, PART);
      const isLast = revocations.length < PART;
      position = positionAfter(revocations, position);
      if (watcher.failure === 'interrupted') throw new RevocationsInterrupted();
      yield { revocations, position, isSnapshot, isCaughtUp: isLast, readAt: readAt.getTime() };
      if (isLast) return position;
    }
  }

  async *#follow(
    watcher: RevocationWatcher,
    from: LogPosition,
    signal: AbortSignal,
  ): AsyncGenerator<WatchPart> {
    let position = from;
    for (;;) {
      const fetched = await watcher.fetch(signal);
      if (fetched === null) {
        throw watcher.failure === 'too_slow' ? new WatcherTooSlow() : new RevocationsInterrupted();
      }
      const { readAt } = fetched;
      // The feed may tell of some that the last page had already.
      const news = fetched.revocations.filter(({ id }) => id > position.id);
      for (let start = 0; start === 0 || start < news.length; start += PART) {
        const revocations = news.slice(start, start + PART);
        position = positionAfter(revocations, position);
        yield { revocations, position, isSnapshot: false, isCaughtUp: false, readAt };
      }
    }
  }
}
