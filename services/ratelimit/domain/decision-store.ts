import { counted, type Decision } from './decision.ts';
import type { LimitStore } from './limit-store.ts';
import type { Rule } from './rule.ts';

/** What the limiter asks: a store that decides by the whole rule, also where counting fails. */
export interface DecisionStore {
  /** `cost` is 1 to the rule's limit. A store that answers without waiting returns no promise. */
  decide(rule: Rule, key: string, cost: number): Promise<Decision> | Decision;
}

/** A {@link LimitStore} that cannot fail (memory), or whose failures the caller wants to see, as it is. */
export class DirectStore implements DecisionStore {
  readonly #store: LimitStore;

  constructor(store: LimitStore) {
    this.#store = store;
  }

  decide(rule: Rule, key: string, cost: number): Promise<Decision> | Decision {
    const { source } = this.#store;
    const state = this.#store.take(key, cost, rule.limit, rule.windowMicros);
    return state instanceof Promise
      ? state.then((later) => counted(rule, later, source))
      : counted(rule, state, source);
  }
}
