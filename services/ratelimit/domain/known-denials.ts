import type { CheckTerm } from './check-plan.ts';
import type { Verdict } from './decision-store.ts';
import type { DenialCache } from './denial-cache.ts';
import type { LimitState } from './limit-store.ts';

/** Terms that are known to have no room. */
export interface KnownDenials {
  /** At least one. */
  readonly terms: readonly CheckTerm[];
  /** One a term, in order. */
  readonly states: readonly LimitState[];
}

/** Those of the terms that the cache knows to have no room; undefined where it knows of none. */
export function knownDenials(
  cache: DenialCache | undefined,
  terms: readonly CheckTerm[],
): KnownDenials | undefined {
  let full: CheckTerm[] | undefined;
  const states: LimitState[] = [];
  for (const term of terms) {
    const state = term.limit.shadow ? undefined : cache?.find(term);
    if (state === undefined) continue;
    full ??= [];
    full.push(term);
    states.push(state);
  }
  return full === undefined ? undefined : { terms: full, states };
}

/** Remembers what Redis denied. @param askedMicros see {@link DenialCache.keep}; 0 where the cache was off */
export function rememberDenials(
  cache: DenialCache | undefined,
  terms: readonly CheckTerm[],
  { source, states }: Verdict,
  askedMicros: number,
): void {
  if (askedMicros === 0 || source !== 'REDIS') return;
  for (const [index, term] of terms.entries()) {
    const state = states[index];
    if (state !== undefined && !state.allowed && !term.limit.shadow) cache?.keep(term, state, askedMicros);
  }
}
