import type { Check } from './check.ts';
import type { Decision } from './decision.ts';
import { type DecisionStore, DirectStore, type Verdict } from './decision-store.ts';
import { Limiter, type LimiterOptions } from './limiter.ts';
import type { RuleSet } from './rule-set.ts';
import { MINUTE, rulesOf, T } from './testing-decisions.ts';
import { ModelStore } from './testing-model-store.ts';

const RULES = rulesOf({
  auth_login: { limits: [{ limit: 5, windowMicros: MINUTE }] },
  tight: {
    limits: [
      { name: 'minute', limit: 3, windowMicros: MINUTE },
      { name: 'hour', limit: 4, windowMicros: 60 * MINUTE },
    ],
  },
  tried: {
    limits: [
      { name: 'now', limit: 5, windowMicros: MINUTE },
      { name: 'next', limit: 2, windowMicros: MINUTE, shadow: true },
    ],
  },
  slots: { limits: [{ algorithm: 'CONCURRENCY', limit: 2, windowMicros: MINUTE }] },
  free: { mode: 'UNLIMITED' },
  off: { mode: 'DISABLED' },
});

/** What stands around a limiter: the time, the rules, and a store of reference models. */
export class World {
  now = T;
  rules: RuleSet = RULES;
  readonly store = new ModelStore(() => this.now);

  limiter(change: Partial<LimiterOptions> = {}): Limiter {
    return new Limiter({
      rules: () => this.rules,
      store: new DirectStore(this.store),
      enabled: true,
      clock: () => this.now,
      ...change,
    });
  }
}

/** The decision of a limiter whose store answers at once. */
export function decide(limiter: Limiter, asked: Check): Decision {
  return limiter.check(asked) as Decision;
}

/** Whether the same check is allowed, so many times one after the other. */
export function allowedTimes(limiter: Limiter, asked: Check, times: number): boolean[] {
  return Array.from({ length: times }, () => decide(limiter, asked).allowed);
}

/** A store that gives these answers in turn, later, and keeps what it was asked. */
export function answering(
  ...verdicts: readonly (Verdict | Error)[]
): DecisionStore & { readonly asked: unknown[] } {
  const asked: unknown[] = [];
  return {
    asked,
    async decide(ask) {
      const verdict = verdicts[asked.push(ask) - 1];
      if (verdict === undefined || verdict instanceof Error) throw verdict ?? new Error('asked too often');
      return verdict;
    },
    refund: async () => [],
    renew: async () => [],
    reset: async () => 0,
  };
}
