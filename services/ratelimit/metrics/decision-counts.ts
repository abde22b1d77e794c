import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import { type Sample, tell } from '../../../runtime/metrics/told-metric.ts';
import type { Check } from '../domain/check.ts';
import type { Decision, DecisionSource } from '../domain/decision.ts';
import { ENVOY_ENDPOINTS } from '../domain/envoy/should-limit-plan.ts';
import type { DecisionObserver } from '../domain/limiter.ts';

/** Rules that are counted by themselves; all later ones are `other`. */
export const MAX_RULES = 1_000;
/** What decisions by limits of Envoy's configuration count under, which are no rules. */
const ENVOY = 'envoy';
const OTHER = 'other';

/** What a limit was asked of, and what passes without. */
const ASKED = ['REDIS', 'MEMORY', 'CACHE', 'FALLBACK_LOCAL', 'FALLBACK_OPEN', 'FALLBACK_CLOSED'] as const;
const PASSES = { BYPASS: 'bypassed', UNLIMITED: 'unlimited', DISABLED: 'disabled' } as const;

/** Of one rule. */
interface RuleCounts {
  readonly allowed: Record<DecisionSource, number>;
  readonly denied: Record<DecisionSource, number>;
  shadowDenials: number;
}

/**
 * Counts decisions by rule, outcome and source, as plain numbers: at most 16 of each of {@link MAX_RULES} rules and two more. A rule
 * that is deleted stays, or its counters would begin anew when it comes back.
 */
export class DecisionCounts implements DecisionObserver {
  readonly #rules = new Map<string, RuleCounts>();

  constructor(metrics: Metrics) {
    tell(metrics, {
      name: 'optix_ratelimit_decisions_total',
      help: 'Checks that were decided.',
      type: 'counter',
      samples: () => this.#decisions(),
    });
    tell(metrics, {
      name: 'optix_ratelimit_shadow_denials_total',
      help: 'Checks that a shadow limit of the rule would have denied.',
      type: 'counter',
      samples: () => this.#shadowDenials(),
    });
  }

  decided({ endpoint }: Check, decision: Decision): void {
    const { allowed, denied } = this.#of(endpoint, decision.rule.name);
    (decision.allowed ? allowed : denied)[decision.source] += 1;
    if (decision.shadowDenied) this.#countShadows(endpoint, decision);
  }

  #of(endpoint: string, rule: string): RuleCounts {
    const name = endpoint.startsWith(ENVOY_ENDPOINTS) ? ENVOY : rule;
    return this.#rules.get(name) ?? this.#begin(name);
  }

  #begin(name: string): RuleCounts {
    const isSpecial = name === ENVOY || name === OTHER;
    if (!isSpecial && this.#rules.size >= MAX_RULES) return this.#rules.get(OTHER) ?? this.#begin(OTHER);
    const counts = { allowed: noCounts(), denied: noCounts(), shadowDenials: 0 };
    this.#rules.set(name, counts);
    return counts;
  }

  /** Once for each rule. A shadow limit that was not asked, for the cost is more than it ever has, is the rule's that decided. */
  #countShadows(endpoint: string, { rule, outcomes }: Decision): void {
    const rules = new Set<RuleCounts>();
    for (const { term, state } of outcomes) {
      if (term.limit.shadow && !state.allowed) rules.add(this.#of(term.endpoint, term.rule.name));
    }
    if (rules.size === 0) rules.add(this.#of(endpoint, rule.name));
    for (const counts of rules) counts.shadowDenials += 1;
  }

  *#decisions(): Iterable<Sample> {
    for (const [rule, { allowed, denied }] of this.#rules) {
      const counts: [outcome: string, source: string, count: number][] = [];
      for (const asked of ASKED) {
        const source = asked.toLowerCase();
        counts.push(['allowed', source, allowed[asked]], ['denied', source, denied[asked]]);
      }
      for (const [pass, outcome] of Object.entries(PASSES)) {
        counts.push([outcome, 'none', allowed[pass as keyof typeof PASSES]]);
      }
      // Denied with others that had no room, in a call that takes all or nothing.
      counts.push(['denied', 'none', denied.BYPASS + denied.UNLIMITED + denied.DISABLED]);
      for (const [outcome, source, value] of counts) {
        if (value > 0) yield { labels: { rule, outcome, source }, value };
      }
    }
  }

  *#shadowDenials(): Iterable<Sample> {
    for (const [rule, { shadowDenials }] of this.#rules) {
      if (shadowDenials > 0) yield { labels: { rule }, value: shadowDenials };
    }
  }
}

function noCounts(): Record<DecisionSource, number> {
  return {
    REDIS: 0,
    MEMORY: 0,
    CACHE: 0,
    FALLBACK_LOCAL: 0,
    FALLBACK_OPEN: 0,
    FALLBACK_CLOSED: 0,
    BYPASS: 0,
    UNLIMITED: 0,
    DISABLED: 0,
  };
}
