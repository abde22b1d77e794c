import type { CheckTerm } from './check-plan.ts';
import type { VerdictSource } from './decision-store.ts';
import type { Limit } from './limit.ts';
import type { LimitState } from './limit-store.ts';
import type { Rule } from './rule.ts';

/** Where a decision comes from. */
export type DecisionSource =
  /**
   * Counted in Redis, shared by all replicas; counted in this process, because there is no Redis to use; Redis is away
   * and the rule's `FAIL_LOCAL`, `FAIL_OPEN`, `FAIL_CLOSED` answers.
   */
  | VerdictSource
  /** Redis has said before that there is no room until later. */
  | 'CACHE'
  /** One of the caller's roles passes without being counted. */
  | 'BYPASS'
  /** There is no limit for the identifier. */
  | 'UNLIMITED'
  /** Limiting is switched off, here or in the rule. */
  | 'DISABLED';

/** What one limit said to a check. */
export interface TermOutcome {
  readonly term: CheckTerm;
  readonly state: LimitState;
}

/** The answer to a check, and why. */
export interface Decision extends LimitState {
  readonly source: DecisionSource;
  /** The rule that decided. */
  readonly rule: Rule;
  /** The limit that decided; undefined where nothing was asked. */
  readonly limit: Limit | undefined;
  readonly bypassed: boolean;
  /** Whether a shadow limit would have denied. */
  readonly shadowDenied: boolean;
  readonly outcomes: readonly TermOutcome[];
  /** To give back what was taken; '' where there is nothing, or nobody asked for it. */
  readonly receipt: string;
}

/**
 * The decision over what each limit said. Where it was denied, the limit decided that takes longest to have room;
 * where it was allowed, the one with the least left. Shadow limits decide nothing, and stand for all only where there
 * are no others.
 */
export function decided(
  terms: readonly CheckTerm[],
  states: readonly LimitState[],
  source: DecisionSource,
  receipt: string,
  alsoShadowDenied: boolean,
): Decision {
  const outcomes: TermOutcome[] = [];
  let shadowDenied = alsoShadowDenied;
  for (let index = 0; index < terms.length; index += 1) {
    const term = terms[index] as CheckTerm;
    const state = states[index] as LimitState;
    if (term.limit.shadow && !state.allowed) shadowDenied = true;
    outcomes.push({ term, state });
  }
  const deciding = decidingOutcome(outcomes);
  if (deciding === undefined) throw new Error('a decision needs a term');
  return decision(deciding.term, deciding.state, source, receipt, outcomes, shadowDenied);
}

/** The outcome that decided; undefined where there are none. */
export function decidingOutcome(outcomes: readonly TermOutcome[]): TermOutcome | undefined {
  let best = outcomes[0];
  for (let index = 1; index < outcomes.length; index += 1) {
    const outcome = outcomes[index] as TermOutcome;
    if (decidesOver(outcome, best as TermOutcome)) best = outcome;
  }
  return best;
}

/** Allowed, and nothing counted: the whole limit is there now. */
export function uncounted(
  rule: Rule,
  limit: Limit | undefined,
  nowMicros: number,
  source: 'BYPASS' | 'UNLIMITED' | 'DISABLED',
): Decision {
  return {
    allowed: true,
    remaining: limit?.limit ?? 0,
    resetMicros: nowMicros,
    retryAfterMicros: 0,
    source,
    rule,
    limit,
    bypassed: source === 'BYPASS',
    shadowDenied: false,
    outcomes: [],
    receipt: '',
  };
}

/** Whether the enforced limits let a check pass. */
export function isAllowed(terms: readonly CheckTerm[], states: readonly LimitState[]): boolean {
  for (let index = 0; index < terms.length; index += 1) {
    if (!states[index]?.allowed && !terms[index]?.limit.shadow) return false;
  }
  return true;
}

function decision(
  { rule, limit }: CheckTerm,
  state: LimitState,
  source: DecisionSource,
  receipt: string,
  outcomes: readonly TermOutcome[],
  shadowDenied: boolean,
): Decision {
  const allowed = state.allowed || limit.shadow;
  return {
    allowed,
    remaining: state.remaining,
    resetMicros: state.resetMicros,
    retryAfterMicros: allowed ? 0 : state.retryAfterMicros,
    source,
    rule,
    limit,
    bypassed: false,
    shadowDenied,
    outcomes,
    receipt,
  };
}

function decidesOver(one: TermOutcome, other: TermOutcome): boolean {
  if (one.term.limit.shadow !== other.term.limit.shadow) return other.term.limit.shadow;
  if (one.state.allowed !== other.state.allowed) return other.state.allowed;
  return one.state.allowed
    ? one.state.remaining < other.state.remaining
    : one.state.retryAfterMicros > other.state.retryAfterMicros;
}
