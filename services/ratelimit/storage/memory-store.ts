import { type Clock, epochMicros } from '../domain/clock.ts';
import type { LimitState, LimitStore } from '../domain/limit-store.ts';
import { SlidingWindowLog } from '../domain/sliding-window-log.ts';

const SWEEP_EVERY_MS = 50;
/** Keys looked at in one step: some 0.1 ms, too short to show in a check's latency. A million keys take 25 s. */
const SWEEP_STEP = 2_000;
/** Keys looked at when a new one comes while the store is full. */
const EVICTION_SAMPLE = 16;

interface Entry {
  readonly log: SlidingWindowLog;
  /** When the newest unit dies, in epoch µs. */
  deadAtMicros: number;
}

export interface MemoryStoreOptions {
  /** Default: {@link epochMicros}. */
  readonly clock?: Clock;
  /** Most keys kept. Default: 1,000,000. */
  readonly maxKeys?: number;
}

/**
 * Counts in this process's memory, by the reference model itself; answers without a promise.
 *
 * Keys go once all their units are dead: a timer sweeps in small steps. A new key in a full store takes the place of
 * the dead among the next few keys, or else of the one of them that would be dead first. That key has its limit back
 * early: beyond a million keys a flood costs accuracy, never memory nor time.
 */
export class MemoryStore implements LimitStore, Disposable {
  readonly source = 'MEMORY';
  readonly #clock: Clock;
  readonly #maxKeys: number;
  readonly #entries = new Map<string, Entry>();
  readonly #timer: NodeJS.Timeout;
  #cursor: MapIterator<[string, Entry]> = this.#entries.entries();
  /** Keys until the cursor goes back to the first, even if as many new ones came meanwhile. */
  #leftInRound = 0;

  constructor({ clock = epochMicros, maxKeys = 1_000_000 }: MemoryStoreOptions = {}) {
    this.#clock = clock;
    this.#maxKeys = maxKeys;
    this.#timer = setInterval(() => this.sweep(), SWEEP_EVERY_MS).unref();
  }

  /** Keys held now, among them dead ones that no sweep has come by yet. */
  get size(): number {
    return this.#entries.size;
  }

  take(key: string, cost: number, limit: number, windowMicros: number): LimitState {
    const now = this.#clock();
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= this.#maxKeys) this.#makeRoom(now);
      entry = { log: new SlidingWindowLog(), deadAtMicros: 0 };
      this.#entries.set(key, entry);
    }
    const state = entry.log.take(now, cost, limit, windowMicros);
    if (state.allowed) entry.deadAtMicros = state.resetMicros;
    return state;
  }

  /** Looks at the next `keys` keys, round and round, and drops the dead. The timer calls it. */
  sweep(keys: number = SWEEP_STEP): void {
    const now = this.#clock();
    for (let looked = Math.min(keys, this.#entries.size); looked > 0; looked--) this.#dropNextIfDead(now);
  }

  /** Forgets everything and stops the timer. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#entries.clear();
  }

  #makeRoom(now: number): void {
    let soonest: [string, Entry] | undefined;
    for (let looked = Math.min(EVICTION_SAMPLE, this.#entries.size); looked > 0; looked--) {
      const candidate = this.#dropNextIfDead(now);
      if (candidate === undefined) continue;
      if (soonest === undefined || candidate[1].deadAtMicros < soonest[1].deadAtMicros) soonest = candidate;
    }
    if (this.#entries.size >= this.#maxKeys && soonest !== undefined) this.#entries.delete(soonest[0]);
  }

  /** The next key if it is alive. */
  #dropNextIfDead(now: number): [string, Entry] | undefined {
    let next = this.#leftInRound > 0 ? this.#cursor.next() : undefined;
    if (next === undefined || next.done) {
      this.#cursor = this.#entries.entries();
      this.#leftInRound = this.#entries.size;
      next = this.#cursor.next();
      if (next.done) return undefined;
    }
    this.#leftInRound--;
    const [key, entry] = next.value;
    if (entry.deadAtMicros > now) return next.value;
    this.#entries.delete(key);
    return undefined;
  }
}
