import { MAX_WINDOW_MICROS } from '../domain/algorithm.ts';
import { type Clock, epochMicros } from '../domain/clock.ts';
import { decideTerms } from '../domain/decide-terms.ts';
import type { LimitModel } from '../domain/limit-model.ts';
import type { Ask, LimitState, LimitStore, Taken } from '../domain/limit-store.ts';
import { newModel } from '../domain/new-model.ts';
import { SpentIds } from './spent-ids.ts';

const SWEEP_EVERY_MS = 50;
/** Keys looked at in one step: some 0.1 ms, too short to show in a check's latency. A million keys take 25 s. */
const SWEEP_STEP = 2_000;
/** Keys looked at when a new one comes while the store is full. */
const EVICTION_SAMPLE = 16;

export interface MemoryStoreOptions {
  /** Default: {@link epochMicros}. */
  readonly clock?: Clock;
  /** Most keys kept. Default: 1,000,000. */
  readonly maxKeys?: number;
}

/**
 * Counts in this process's memory, by the reference models themselves; answers without a promise.
 *
 * Keys go once nothing in them counts: a timer sweeps in small steps. A new key in a full store takes the place of
 * the dead among the next few keys, or else of the one of them that would be dead first. That key has its limit back
 * early: beyond a million keys a flood costs accuracy, never memory nor time.
 */
export class MemoryStore implements LimitStore, Disposable {
  readonly source = 'MEMORY';
  readonly #clock: Clock;
  readonly #maxKeys: number;
  readonly #models = new Map<string, LimitModel>();
  readonly #refunded: SpentIds;
  readonly #timer: NodeJS.Timeout;
  #cursor: MapIterator<[string, LimitModel]> = this.#models.entries();
  /** Keys until the cursor goes back to the first, even if as many new ones came meanwhile. */
  #leftInRound = 0;

  constructor({ clock = epochMicros, maxKeys = 1_000_000 }: MemoryStoreOptions = {}) {
    this.#clock = clock;
    this.#maxKeys = maxKeys;
    this.#refunded = new SpentIds(maxKeys);
    this.#timer = setInterval(() => this.sweep(), SWEEP_EVERY_MS).unref();
  }

  /** Keys held now, among them dead ones that no sweep has come by yet. */
  get size(): number {
    return this.#models.size;
  }

  decide(ask: Ask): LimitState[] {
    const now = this.#clock();
    const models = ask.terms.map(({ key, limit }) => this.#models.get(key) ?? newModel(limit.algorithm));
    const states = decideTerms(now, ask, models);
    for (const [at, { key }] of ask.terms.entries()) this.#keep(key, models[at] as LimitModel, now);
    return states;
  }

  refund(id: string, parts: readonly Taken[], oneOff = false): number[] {
    const now = this.#clock();
    if (!oneOff) {
      const last = Math.max(...parts.map((part) => this.#lastEnd(part, now)));
      if (last <= now || !this.#refunded.spend(id, now, last)) return parts.map(() => 0);
    }
    return parts.map(
      ({ key, limit, cost, resetMicros }) =>
        this.#models.get(key)?.refund(now, cost, resetMicros, limit, id) ?? 0,
    );
  }

  renew(id: string, parts: readonly Taken[]): number[] {
    const now = this.#clock();
    return parts.map(({ key, limit, cost }) => this.#models.get(key)?.renew(now, cost, limit, id) ?? 0);
  }

  reset(keys: readonly string[]): number {
    return keys.filter((key) => this.#models.delete(key)).length;
  }

  /** Looks at the next `keys` keys, round and round, and drops the dead. The timer calls it. */
  sweep(keys: number = SWEEP_STEP): void {
    const now = this.#clock();
    for (let looked = Math.min(keys, this.#models.size); looked > 0; looked--) this.#dropNextIfDead(now);
    this.#refunded.forget(now, keys);
  }

  /** Forgets everything and stops the timer. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#models.clear();
    this.#refunded.clear();
  }

  /** Until when there may be something to give back: a lease may have been renewed since it was taken. */
  #lastEnd({ key, limit, resetMicros }: Taken, now: number): number {
    const end = limit.algorithm === 'CONCURRENCY' ? this.#models.get(key)?.deadAtMicros : undefined;
    // Whoever makes up a receipt may name any time, and nothing is kept for ever.
    return Math.min(Math.max(resetMicros, end ?? 0), now + MAX_WINDOW_MICROS);
  }

  /** Holds on to a model with something in it. */
  #keep(key: string, model: LimitModel, now: number): void {
    if (model.deadAtMicros <= now || this.#models.has(key)) return;
    if (this.#models.size >= this.#maxKeys) this.#makeRoom(now);
    this.#models.set(key, model);
  }

  #makeRoom(now: number): void {
    let soonest: [string, LimitModel] | undefined;
    for (let looked = Math.min(EVICTION_SAMPLE, this.#models.size); looked > 0; looked--) {
      const candidate = this.#dropNextIfDead(now);
      if (candidate === undefined) continue;
      if (soonest === undefined || candidate[1].deadAtMicros < soonest[1].deadAtMicros) soonest = candidate;
    }
    if (this.#models.size >= this.#maxKeys && soonest !== undefined) this.#models.delete(soonest[0]);
  }

  /** The next key if it is alive. */
  #dropNextIfDead(now: number): [string, LimitModel] | undefined {
    let next = this.#leftInRound > 0 ? this.#cursor.next() : undefined;
    if (next === undefined || next.done) {
      this.#cursor = this.#models.entries();
      this.#leftInRound = this.#models.size;
      next = this.#cursor.next();
      if (next.done) return undefined;
    }
    this.#leftInRound--;
    const [key, model] = next.value;
    if (model.deadAtMicros > now) return next.value;
    this.#models.delete(key);
    return undefined;
  }
}
