import type { Clock } from './clock.ts';
import type { Limit } from './limit.ts';
import type { LimitState, Term } from './limit-store.ts';

/** No store is waited for this long. */
const LONGEST_ASK_MICROS = 30_000_000;

interface Denial {
  /** The limit that denied, by identity: rules that were read anew have new ones. */
  readonly limit: Limit;
  readonly cost: number;
  readonly remaining: number;
  readonly resetMicros: number;
  /** No check of this cost or more can be allowed before, by this process's clock. */
  readonly untilMicros: number;
}

/**
 * Remembers which keys have no room, and until when: the shared store need not be asked before that. A wrong denial
 * would be the price of a stale entry, so whatever can make room early must be told to {@link forget}: a reset and a
 * refund anywhere. While that can't be heard the cache must be off.
 *
 * Bounded: a new entry takes the place of the oldest.
 */
export class DenialCache {
  readonly #clock: Clock;
  readonly #maxKeys: number;
  readonly #denials = new Map<string, Denial>();
  /** When keys were told to have room, oldest first: a denial asked for before that is void though it comes later. */
  readonly #forgotten = new Map<string, number>();
  /** The same for all keys. */
  #clearedMicros = 0;
  #on = false;

  /** @param maxKeys default: 100,000, some 20 MB. */
  constructor(clock: Clock, maxKeys = 100_000) {
    this.#clock = clock;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#denials.size;
  }

  /** Whether it answers and remembers. Switched off it is empty. */
  get on(): boolean {
    return this.#on;
  }

  set on(on: boolean) {
    this.#on = on;
    this.clear();
  }

  /** The denial of a term that is known to have no room now; undefined where the store has to say. */
  find(term: Term): LimitState | undefined {
    const denial = this.#denials.get(term.key);
    if (denial === undefined || denial.limit !== term.limit || term.cost < denial.cost) return undefined;
    const wait = denial.untilMicros - this.#clock();
    if (wait <= 0) {
      this.#denials.delete(term.key);
      return undefined;
    }
    const { remaining, resetMicros } = denial;
    return { allowed: false, remaining, resetMicros, retryAfterMicros: wait };
  }

  /**
   * Keeps a denial by the store.
   *
   * @param askedMicros when the store was asked, by this cache's clock. The store looked at its own clock later than
   *   that, so the entry ends no later than there is room.
   */
  keep({ key, limit, cost }: Term, state: LimitState, askedMicros: number): void {
    // Leases are given back at any time, by processes that tell nobody.
    if (!this.#on || limit.algorithm === 'CONCURRENCY') return;
    if (askedMicros <= this.#clearedMicros || askedMicros <= (this.#forgotten.get(key) ?? 0)) return;
    const { remaining, resetMicros, retryAfterMicros } = state;
    this.#denials.delete(key);
    if (this.#denials.size >= this.#maxKeys) {
      for (const oldest of this.#denials.keys()) {
        this.#denials.delete(oldest);
        break;
      }
    }
    this.#denials.set(key, {
      limit,
      cost,
      remaining,
      resetMicros,
      untilMicros: askedMicros + retryAfterMicros,
    });
  }

  /** Drops what is known of keys, and what is yet to be answered: they may have room now. */
  forget(keys: readonly string[]): void {
    const now = this.#clock();
    for (const key of keys) {
      this.#denials.delete(key);
      this.#forgotten.delete(key);
      this.#forgotten.set(key, now);
    }
    for (const [key, at] of this.#forgotten) {
      if (now - at < LONGEST_ASK_MICROS && this.#forgotten.size <= this.#maxKeys) break;
      this.#forgotten.delete(key);
      if (now - at < LONGEST_ASK_MICROS) this.#clearedMicros = Math.max(this.#clearedMicros, at);
    }
  }

  /** Drops everything, as {@link forget} does for each key. */
  clear(): void {
    this.#denials.clear();
    this.#forgotten.clear();
    this.#clearedMicros = this.#clock();
  }
}
