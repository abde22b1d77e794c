import type { CheckTerm } from '../domain/check-plan.ts';
import type { LimitDefinition } from '../domain/limit.ts';
import type { Ask } from '../domain/limit-store.ts';
import { defineRule, type StoreFailurePolicy } from '../domain/rule.ts';

export const MINUTE_MICROS = 60_000_000;

/** A term of a rule that has one limit: of 3 a minute, one unit of it, unless told otherwise. */
export function termOf(
  onStoreFailure: StoreFailurePolicy,
  key: string,
  { cost = 1, ...definition }: Partial<LimitDefinition> & { readonly cost?: number } = {},
): CheckTerm {
  const rule = defineRule({
    name: 'tested',
    limits: [{ limit: 3, windowMicros: MINUTE_MICROS, ...definition }],
    onStoreFailure,
  });
  const [limit] = rule.limits;
  if (limit === undefined) throw new Error('the rule has no limit');
  return { key, limit, cost, rule, endpoint: 'tested', identifier: key };
}

/** What asks for these terms. */
export function askFor(
  terms: readonly CheckTerm[],
  { peek = false, lease = '' }: { readonly peek?: boolean; readonly lease?: string } = {},
): Ask<CheckTerm> {
  return { terms, peek, lease };
}
