import type { Rule, RuleOverride, Terms } from './rule.ts';

interface Pattern {
  /** What stands between the stars; the first and the last are where the identifier begins and ends. */
  readonly parts: readonly string[];
  readonly terms: Terms;
}

/**
 * Finds what a rule says to an identifier: an exact override, else of the patterns that match the one with the longest
 * text before its first `*` (of equals the longer, then the first by code units), else the rule itself.
 */
export class RuleTerms {
  readonly #rule: Rule;
  readonly #exact = new Map<string, Terms>();
  readonly #patterns: readonly Pattern[];

  constructor(rule: Rule) {
    this.#rule = rule;
    const patterns: RuleOverride[] = [];
    for (const override of rule.overrides) {
      if (override.identifier.includes('*')) patterns.push(override);
      else this.#exact.set(override.identifier, override);
    }
    this.#patterns = patterns
      .sort(bySpecificity)
      .map((override) => ({ parts: override.identifier.split(/\*+/), terms: override }));
  }

  for(identifier: string): Terms {
    const exact = this.#exact.get(identifier);
    if (exact !== undefined) return exact;
    for (const { parts, terms } of this.#patterns) {
      if (matches(parts, identifier)) return terms;
    }
    return this.#rule;
  }
}

function bySpecificity(a: RuleOverride, b: RuleOverride): number {
  const [left, right] = [a.identifier, b.identifier];
  return right.indexOf('*') - left.indexOf('*') || right.length - left.length || (left < right ? -1 : 1);
}

/** No regular expression: several stars would make it try ways without end on an identifier made for that. */
function matches(parts: readonly string[], identifier: string): boolean {
  const first = parts[0] as string;
  const last = parts[parts.length - 1] as string;
  if (identifier.length < first.length + last.length) return false;
  if (!identifier.startsWith(first) || !identifier.endsWith(last)) return false;
  let from = first.length;
  for (let index = 1; index < parts.length - 1; index += 1) {
    const part = parts[index] as string;
    const at = identifier.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return from <= identifier.length - last.length;
}
