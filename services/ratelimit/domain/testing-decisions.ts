import type { Check } from './check.ts';
import { type CheckTerm, planCheck } from './check-plan.ts';
import { type Decision, decided } from './decision.ts';
import type { LimitState } from './limit-store.ts';
import { defineRule, type RuleDefinition } from './rule.ts';
import { RuleSet } from './rule-set.ts';

/** A moment: µs since the epoch. */
export const T = 1_700_000_000_000_000;
export const SECOND = 1_000_000;
export const MINUTE = 60 * SECOND;

/** A check on `auth_login` by `user:1`, but for what is given. */
export function check(change: Partial<Check> = {}): Check {
  return {
    endpoint: 'auth_login',
    identifier: 'user:1',
    cost: 0,
    roles: [],
    also: [],
    refundable: false,
    ...change,
  };
}

/** Rules by their endpoint, each FAIL_OPEN but for what is given; `api_default` (100 a minute) is always there. */
export function rulesOf(definitions: Readonly<Record<string, Partial<RuleDefinition>>>): RuleSet {
  const all: typeof definitions = {
    api_default: { limits: [{ limit: 100, windowMicros: MINUTE }] },
    ...definitions,
  };
  return new RuleSet(
    Object.entries(all).map(([name, definition]) =>
      defineRule({ onStoreFailure: 'FAIL_OPEN', ...definition, name, limits: definition.limits ?? [] }),
    ),
  );
}

/** The terms of a check by those rules. */
export function termsOf(rules: RuleSet, asked: Check = check()): readonly CheckTerm[] {
  return planCheck(rules, asked, '').terms;
}

/** A state with room, but for what is given. */
export function state(change: Partial<LimitState> = {}): LimitState {
  return { allowed: true, remaining: 1, resetMicros: T + MINUTE, retryAfterMicros: 0, ...change };
}

/** A state without room for so many µs. */
export function full(retryAfterMicros = SECOND): LimitState {
  return state({ allowed: false, remaining: 0, retryAfterMicros });
}

/** What a check by `api_default` was answered, where its limits say `states`. */
export function decisionOn(asked: Check, ...states: readonly LimitState[]): Decision {
  return decided(termsOf(rulesOf({}), asked), states, 'REDIS', '', false);
}
