import type { Check } from './check.ts';
import type { Decision } from './decision.ts';
import type { DecisionTail } from './decision-tail.ts';
import type { DecisionObserver } from './limiter.ts';
import type { TopKeys } from './top-keys.ts';

/**
 * Passes decisions on to those who look at them: the ranking of keys, the live tail, and whoever counts them.
 *
 * The ranking counts keys, not checks: a check over several counts once for each that was asked, and as denied for those
 * whose enforced limits had no room. What was not asked (bypassed, unlimited, switched off) is not counted.
 */
export class DecisionFeed implements DecisionObserver {
  readonly #keys: TopKeys;
  readonly #tail: DecisionTail;
  readonly #counts: DecisionObserver | undefined;

  constructor(keys: TopKeys, tail: DecisionTail, counts?: DecisionObserver) {
    this.#keys = keys;
    this.#tail = tail;
    this.#counts = counts;
  }

  decided(check: Check, decision: Decision): void {
    const { outcomes } = decision;
    for (let index = 0; index < outcomes.length; ) {
      const { endpoint, identifier } = outcomes[index]?.term ?? check;
      let denied = false;
      // The limits of one key stand side by side.
      for (; index < outcomes.length; index += 1) {
        const outcome = outcomes[index];
        if (outcome?.term.identifier !== identifier || outcome.term.endpoint !== endpoint) break;
        if (!outcome.state.allowed && !outcome.term.limit.shadow) denied = true;
      }
      this.#keys.record(endpoint, identifier, denied);
    }
    this.#tail.push(check, decision);
    this.#counts?.decided(check, decision);
  }
}
