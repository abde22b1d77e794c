import { type Clock, epochMicros } from './clock.ts';
import { type Decision, uncounted } from './decision.ts';
import type { DecisionStore } from './decision-store.ts';
import { CostExceedsLimit } from './errors.ts';
import { limitKey } from './limit-key.ts';
import type { Rule } from './rule.ts';
import type { RuleSet } from './rule-set.ts';

/** One operation that somebody wants to perform. */
export interface Check {
  /** What is limited, for example `auth_login`. */
  readonly endpoint: string;
  /** Who is limited, for example `user:4711`. */
  readonly identifier: string;
  /** Units it takes: an unsigned 32-bit integer; 0 means 1. */
  readonly cost: number;
  /** Verified roles of the caller. */
  readonly roles: readonly string[];
}

export interface LimiterOptions {
  readonly rules: RuleSet;
  readonly store: DecisionStore;
  /** False switches limiting off: everything is allowed and nothing is counted. */
  readonly enabled: boolean;
  /** For the answers that no store gives. Default: {@link epochMicros}. */
  readonly clock?: Clock;
}

/**
 * Decides checks: finds the rule, lets bypass roles through, and asks the store for the rest.
 *
 * Gateways ask once a request, so this adds no promise of its own: it returns what the store returns.
 */
export class Limiter {
  readonly rules: RuleSet;
  readonly enabled: boolean;
  readonly #store: DecisionStore;
  readonly #clock: Clock;

  constructor({ rules, store, enabled, clock = epochMicros }: LimiterOptions) {
    this.rules = rules;
    this.enabled = enabled;
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Counts one operation and tells whether it may go on.
   *
   * @throws CostExceedsLimit (at once, never as a rejection) where the cost is greater than the rule's limit, also
   *   for a bypass role: a wrong cost should show whoever sends it. Not where limiting is off, which refuses nothing.
   */
  check(check: Check): Promise<Decision> | Decision {
    const rule = this.rules.ruleFor(check.endpoint);
    if (!this.enabled) return uncounted(rule, this.#clock(), 'DISABLED');
    const cost = check.cost === 0 ? 1 : check.cost;
    if (cost > rule.limit) throw new CostExceedsLimit(cost, rule.limit);
    if (bypasses(rule, check.roles)) return uncounted(rule, this.#clock(), 'BYPASS');
    return this.#store.decide(rule, limitKey(check.endpoint, check.identifier), cost);
  }
}

function bypasses(rule: Rule, roles: readonly string[]): boolean {
  for (const role of roles) {
    if (rule.bypassRoles.includes(role)) return true;
  }
  return false;
}
