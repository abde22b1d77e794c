import { InvalidRule } from './errors.ts';
import type { Rule, Terms } from './rule.ts';
import { RuleTerms } from './rule-terms.ts';

/** Name of the rule for every endpoint that has none of its own. */
export const FALLBACK_RULE = 'api_default';

/** A rule as a check uses it. */
export interface AppliedRule {
  readonly rule: Rule;
  /** What the rule says to an identifier. */
  termsFor(identifier: string): Terms;
}

/** The rules in force at one moment. Immutable: a change of rules is a new set. */
export class RuleSet implements Iterable<Rule> {
  readonly #byEndpoint = new Map<string, AppliedRule>();
  readonly #fallback: AppliedRule;

  /** @throws InvalidRule where two rules share a name, or `api_default` is missing. */
  constructor(rules: Iterable<Rule>) {
    for (const rule of rules) {
      if (this.#byEndpoint.has(rule.name)) throw invalid(rule.name, 'is there twice');
      this.#byEndpoint.set(rule.name, applied(rule));
    }
    const fallback = this.#byEndpoint.get(FALLBACK_RULE);
    if (fallback === undefined) throw invalid(FALLBACK_RULE, 'is missing: every set needs it');
    this.#fallback = fallback;
  }

  /** The endpoint's own rule, else `api_default`. Each endpoint is counted by itself all the same. */
  ruleFor(endpoint: string): AppliedRule {
    return this.#byEndpoint.get(endpoint) ?? this.#fallback;
  }

  /** A rule by its name. */
  get(name: string): Rule | undefined {
    return this.#byEndpoint.get(name)?.rule;
  }

  *[Symbol.iterator](): Iterator<Rule> {
    for (const { rule } of this.#byEndpoint.values()) yield rule;
  }
}

function invalid(rule: string, description: string): InvalidRule {
  return new InvalidRule(rule, [{ field: 'name', description }]);
}

function applied(rule: Rule): AppliedRule {
  // Switched off means off for everybody.
  if (rule.overrides.length === 0 || rule.mode === 'DISABLED') return { rule, termsFor: () => rule };
  const terms = new RuleTerms(rule);
  return { rule, termsFor: (identifier) => terms.for(identifier) };
}
