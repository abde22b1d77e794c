import type { Clock } from './clock.ts';
import { decideTerms } from './decide-terms.ts';
import type { LimitModel } from './limit-model.ts';
import type { Ask, LimitState, LimitStore, Taken } from './limit-store.ts';
import { newModel } from './new-model.ts';

/** The reference models by key, without bounds: a store for tests of what stands above it. */
export class ModelStore implements LimitStore {
  readonly source = 'MEMORY';
  /** What was asked so far. */
  readonly asks: Ask[] = [];
  readonly models = new Map<string, LimitModel>();
  readonly #clock: Clock;
  readonly #refunded = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  decide(ask: Ask): LimitState[] {
    this.asks.push(ask);
    const models = ask.terms.map(({ key, limit }) => {
      const model = this.models.get(key) ?? newModel(limit.algorithm);
      this.models.set(key, model);
      return model;
    });
    return decideTerms(this.#clock(), ask, models);
  }

  refund(id: string, parts: readonly Taken[]): number[] {
    if (this.#refunded.has(id)) return parts.map(() => 0);
    this.#refunded.add(id);
    return parts.map(
      ({ key, limit, cost, resetMicros }) =>
        this.models.get(key)?.refund(this.#clock(), cost, resetMicros, limit, id) ?? 0,
    );
  }

  renew(id: string, parts: readonly Taken[]): number[] {
    return parts.map(
      ({ key, limit, cost }) => this.models.get(key)?.renew(this.#clock(), cost, limit, id) ?? 0,
    );
  }

  reset(keys: readonly string[]): number {
    return keys.filter((key) => this.models.delete(key)).length;
  }
}
