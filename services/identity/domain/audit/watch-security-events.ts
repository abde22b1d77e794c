import { TooManyWatchers } from '../errors.ts';
import type { ChainHead } from './chain.ts';
import { ChainHeadPoll } from './chain-head-poll.ts';
import { CursorExpired } from './errors.ts';
import type { EventSelection, SealedEntry, SealedLog } from './sealed-log.ts';

/** Where to begin: behind a place, at the beginning of the log, or at its end. */
export type WatchStart = Pick<ChainHead, 'sequence'> & { readonly hash: Buffer };

/** What a watcher is told at a time. */
export interface WatchPart {
  /** Selected events in their order; none in a sign of life. */
  readonly entries: readonly (SealedEntry & { readonly event: NonNullable<SealedEntry['event']> })[];
  /** Where the watcher is with it: entries that were not selected are behind it too. */
  readonly place: ChainHead;
}

/** Watchers of one process: each may hold a batch. */
const MOST_WATCHERS = 100;
/** Entries of a statement. */
const BATCH = 200;
/** A sign of life is due when nothing was told for this long, in milliseconds: the contract promises ten seconds. */
const SILENCE_MS = 9_000;

/**
 * Follows the log in the order of its chain, which has no gaps and is never changed: whoever goes on behind the last place
 * gets each event once. A watcher reads on when its consumer has taken what it was told, so that a slow one costs a batch.
 */
export class SecurityEventWatch {
  readonly #log: SealedLog;
  readonly #poll: ChainHeadPoll;
  readonly #silenceMs: number;
  #watchers = 0;

  constructor(log: SealedLog, { silenceMs = SILENCE_MS }: { readonly silenceMs?: number } = {}) {
    this.#log = log;
    this.#silenceMs = silenceMs;
    this.#poll = new ChainHeadPoll(() => log.head());
  }

  /** To be called after new seals: they are told at once, and not within a quarter of a second. */
  wake(): void {
    this.#poll.wake();
  }

  /**
   * Ends with the signal's reason.
   *
   * @param start `hash`: the first bytes of the chain hash there
   * @throws TooManyWatchers, CursorExpired, DatabaseUnavailable
   */
  async *watch(
    start: WatchStart | 'beginning' | 'end',
    selection: EventSelection,
    signal: AbortSignal,
  ): AsyncGenerator<WatchPart> {
    if (this.#watchers >= MOST_WATCHERS) throw new TooManyWatchers(MOST_WATCHERS);
    this.#watchers += 1;
    try {
      yield* this.#follow(await this.#placeOf(start), selection, signal);
    } finally {
      this.#watchers -= 1;
    }
  }

  async *#follow(from: ChainHead, selection: EventSelection, signal: AbortSignal): AsyncGenerator<WatchPart> {
    let place = from;
    yield { entries: [], place };
    let toldAt = performance.now();
    for (;;) {
      signal.throwIfAborted();
      const batch = await this.#next(place, selection);
      const entries = batch.filter((entry) => entry.event !== null) as WatchPart['entries'];
      place = batch.at(-1)?.place ?? place;
      if (entries.length > 0 || performance.now() - toldAt >= this.#silenceMs) {
        yield { entries, place };
        toldAt = performance.now();
      }
      if (batch.length === BATCH) continue;
      const quietMs = Math.max(0, this.#silenceMs - (performance.now() - toldAt));
      await this.#poll.moved(place.sequence, quietMs, signal);
    }
  }

  async #placeOf(start: WatchStart | 'beginning' | 'end'): Promise<ChainHead> {
    if (start === 'beginning') return await this.#log.base();
    if (start === 'end') return await this.#log.head();
    const base = await this.#log.base();
    const place = start.sequence === base.sequence ? base : await this.#log.placeAt(start.sequence);
    const isSame = place?.chainHash.subarray(0, start.hash.length).equals(start.hash) === true;
    if (start.sequence < base.sequence || !isSame) throw new CursorExpired();
    return { sequence: start.sequence, chainHash: place.chainHash };
  }

  async #next({ sequence }: ChainHead, selection: EventSelection): Promise<readonly SealedEntry[]> {
    const { entries, droppedUpTo } = await this.#log.after(sequence, selection, BATCH);
    if (droppedUpTo > sequence) throw new CursorExpired();
    // Where the chain ends before the watcher's place it is another one: the database was restored.
    if (entries.length === 0 && (await this.#log.head()).sequence < sequence) throw new CursorExpired();
    return entries;
  }
}
