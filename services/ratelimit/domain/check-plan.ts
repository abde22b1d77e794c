import type { Check, CheckTarget } from './check.ts';
import { CostExceedsLimit } from './errors.ts';
import { limitKey } from './limit-key.ts';
import type { Term } from './limit-store.ts';
import type { Rule, Terms } from './rule.ts';
import type { RuleSet } from './rule-set.ts';

/** A term, and what it comes from. */
export interface CheckTerm extends Term {
  readonly rule: Rule;
  readonly endpoint: string;
  readonly identifier: string;
}

/** What a check asks of the store. */
export interface CheckPlan {
  /** The rule of the check's own endpoint. */
  readonly rule: Rule;
  /** The limits to ask. None where nothing is to be counted. */
  readonly terms: readonly CheckTerm[];
  /** Why the check's own endpoint is not counted. */
  readonly pass: 'BYPASS' | 'UNLIMITED' | 'DISABLED' | undefined;
  /** Whether the cost is more than a shadow limit ever has, which therefore is not asked. */
  readonly shadowDenied: boolean;
}

/** Where the terms of a check are gathered. */
interface Gathering {
  readonly terms: CheckTerm[];
  shadowDenied: boolean;
}

/**
 * Finds the limits that a check has to keep, of its own endpoint and of all it also counts against.
 *
 * @param path where the check stands in the request, for errors: '' or, say, `checks[3].`
 * @throws CostExceedsLimit where the cost is greater than what an enforced limit ever has. For a bypass role too: a
 *   wrong cost should show whoever sends it.
 */
export function planCheck(rules: RuleSet, check: Check, path: string): CheckPlan {
  const gathering: Gathering = { terms: [], shadowDenied: false };
  const cost = check.cost === 0 ? 1 : check.cost;
  const { endpoint, identifier, also, roles } = check;
  const { rule, termsFor } = rules.ruleFor(endpoint);
  const pass = gather(gathering, rule, termsFor(identifier), roles, { endpoint, identifier, cost }, path);
  if (also.length === 0) return { rule, terms: gathering.terms, pass, shadowDenied: gathering.shadowDenied };
  for (const [index, target] of also.entries()) {
    const of = {
      endpoint: target.endpoint === '' ? endpoint : target.endpoint,
      identifier: target.identifier,
      cost: target.cost === 0 ? cost : target.cost,
    };
    const { rule: its, termsFor: itsTerms } = rules.ruleFor(of.endpoint);
    gather(gathering, its, itsTerms(of.identifier), roles, of, `${path}also[${index}].`);
  }
  const { terms, shadowDenied } = mergeTerms(gathering.terms, `${path}cost`);
  return { rule, terms, pass, shadowDenied: gathering.shadowDenied || shadowDenied };
}

function gather(
  into: Gathering,
  rule: Rule,
  { mode, limits }: Terms,
  roles: readonly string[],
  { endpoint, identifier, cost }: CheckTarget,
  path: string,
): CheckPlan['pass'] {
  if (mode === 'UNLIMITED' || mode === 'DISABLED') return mode;
  for (const limit of limits) {
    if (cost > limit.burst && !limit.shadow) throw new CostExceedsLimit(`${path}cost`, cost, limit.burst);
  }
  if (bypasses(rule, roles)) return 'BYPASS';
  const key = limitKey(endpoint, identifier);
  for (const limit of limits) {
    if (cost > limit.burst) into.shadowDenied = true;
    else into.terms.push({ key: key + limit.keySuffix, limit, cost, rule, endpoint, identifier });
  }
  return undefined;
}

/**
 * Puts terms of one key together, since an ask has no key twice. A shadow limit that they ask for more than it ever has
 * is left out.
 *
 * @param field of the request, for errors
 * @returns the terms, and whether a shadow limit was left out
 * @throws CostExceedsLimit where they ask together for more than an enforced limit ever has.
 */
export function mergeTerms(
  terms: readonly CheckTerm[],
  field: string,
): { readonly terms: readonly CheckTerm[]; readonly shadowDenied: boolean } {
  const byKey = new Map<string, CheckTerm>();
  for (const term of terms) {
    const same = byKey.get(term.key);
    byKey.set(term.key, same === undefined ? term : { ...term, cost: term.cost + same.cost });
  }
  if (byKey.size === terms.length) return { terms, shadowDenied: false };
  const possible: CheckTerm[] = [];
  for (const term of byKey.values()) {
    const { cost, limit } = term;
    if (cost <= limit.burst) possible.push(term);
    else if (!limit.shadow) throw new CostExceedsLimit(field, cost, limit.burst);
  }
  return { terms: possible, shadowDenied: possible.length < byKey.size };
}

function bypasses(rule: Rule, roles: readonly string[]): boolean {
  for (const role of roles) {
    if (rule.bypassRoles.includes(role)) return true;
  }
  return false;
}
