import { InvalidRule } from './errors.ts';
import type { Rule } from './rule.ts';

/** Name of the rule for every endpoint that has none of its own. */
export const FALLBACK_RULE = 'api_default';

/** The rules in force at one moment. Immutable: a change of rules is a new set. */
export class RuleSet implements Iterable<Rule> {
  readonly #byEndpoint = new Map<string, Rule>();
  readonly #fallback: Rule;

  /** @throws InvalidRule where two rules share a name, or `api_default` is missing. */
  constructor(rules: Iterable<Rule>) {
    for (const rule of rules) {
      if (this.#byEndpoint.has(rule.name)) throw new InvalidRule(rule.name, 'name', 'is there twice');
      this.#byEndpoint.set(rule.name, rule);
    }
    const fallback = this.#byEndpoint.get(FALLBACK_RULE);
    if (fallback === undefined)
      throw new InvalidRule(FALLBACK_RULE, 'name', 'is missing: every set needs it');
    this.#fallback = fallback;
  }

  /** The endpoint's own rule, else `api_default`. Each endpoint is counted by itself all the same. */
  ruleFor(endpoint: string): Rule {
    return this.#byEndpoint.get(endpoint) ?? this.#fallback;
  }

  [Symbol.iterator](): Iterator<Rule> {
    return this.#byEndpoint.values();
  }
}
