import type { CheckTerm } from './check-plan.ts';
import type { Ask, LimitState, LimitStore, Taken } from './limit-store.ts';

/** Who answered: see {@link DecisionSource}. */
export type VerdictSource = 'REDIS' | 'MEMORY' | 'FALLBACK_LOCAL' | 'FALLBACK_OPEN' | 'FALLBACK_CLOSED';

/** What a store says to an ask. */
export interface Verdict {
  readonly source: VerdictSource;
  /** One a term, in order. */
  readonly states: readonly LimitState[];
}

/** What the limiter asks: a store that always has an answer, by the rules' own policies where counting fails. */
export interface DecisionStore {
  /** A store that answers without waiting returns no promise. */
  decide(ask: Ask<CheckTerm>): Promise<Verdict> | Verdict;
  /**
   * As {@link LimitStore.refund}, of units that `source` counted.
   *
   * @throws StoreAway where the store can't be asked. As a rejection, too.
   */
  refund(
    id: string,
    parts: readonly Taken[],
    source: VerdictSource,
    oneOff?: boolean,
  ): Promise<readonly number[]> | readonly number[];
  /** As {@link LimitStore.renew}. @throws StoreAway */
  renew(
    id: string,
    parts: readonly Taken[],
    source: VerdictSource,
  ): Promise<readonly number[]> | readonly number[];
  /** As {@link LimitStore.reset}; forgets local counts too. @throws StoreAway */
  reset(keys: readonly string[]): Promise<number> | number;
}

/** A {@link LimitStore} that can't fail (memory), as it is. */
export class DirectStore implements DecisionStore {
  readonly #store: LimitStore;

  constructor(store: LimitStore) {
    this.#store = store;
  }

  decide(ask: Ask<CheckTerm>): Promise<Verdict> | Verdict {
    const { source } = this.#store;
    const states = this.#store.decide(ask);
    return states instanceof Promise
      ? states.then((later) => ({ source, states: later }))
      : { source, states };
  }

  refund(
    id: string,
    parts: readonly Taken[],
    _source?: VerdictSource,
    oneOff?: boolean,
  ): Promise<readonly number[]> | readonly number[] {
    return this.#store.refund(id, parts, oneOff);
  }

  renew(id: string, parts: readonly Taken[]): Promise<readonly number[]> | readonly number[] {
    return this.#store.renew(id, parts);
  }

  reset(keys: readonly string[]): Promise<number> | number {
    return this.#store.reset(keys);
  }
}
