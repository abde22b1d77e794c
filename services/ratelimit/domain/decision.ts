import type { LimitState } from './limit-store.ts';
import type { Rule } from './rule.ts';

/** Where a decision comes from. */
export type DecisionSource =
  /** Counted in Redis, shared by all replicas. */
  | 'REDIS'
  /** Counted in this process, because there is no Redis to use. */
  | 'MEMORY'
  /** Redis is away: the rule's `FAIL_LOCAL`, `FAIL_OPEN`, `FAIL_CLOSED`. */
  | 'FALLBACK_LOCAL'
  | 'FALLBACK_OPEN'
  | 'FALLBACK_CLOSED'
  /** One of the caller's roles passes without being counted. */
  | 'BYPASS'
  /** Limiting is switched off. */
  | 'DISABLED';

/** The answer to a check, and why. */
export interface Decision extends LimitState {
  /** Units a window; 0 where limiting is switched off. */
  readonly limit: number;
  readonly bypassed: boolean;
  readonly rule: Rule;
  readonly source: DecisionSource;
}

/** The decision for what a store counted. */
export function counted(rule: Rule, state: LimitState, source: DecisionSource): Decision {
  return {
    allowed: state.allowed,
    limit: rule.limit,
    remaining: state.remaining,
    resetMicros: state.resetMicros,
    retryAfterMicros: state.retryAfterMicros,
    bypassed: false,
    rule,
    source,
  };
}

/** Allowed, and nothing counted: the whole limit is there now. */
export function uncounted(
  rule: Rule,
  nowMicros: number,
  source: 'FALLBACK_OPEN' | 'BYPASS' | 'DISABLED',
): Decision {
  const limit = source === 'DISABLED' ? 0 : rule.limit;
  return {
    allowed: true,
    limit,
    remaining: limit,
    resetMicros: nowMicros,
    retryAfterMicros: 0,
    bypassed: source === 'BYPASS',
    rule,
    source,
  };
}

/** Denied without counting, because the rule fails closed. */
export function failedClosed(rule: Rule, nowMicros: number, retryAfterMicros: number): Decision {
  return {
    allowed: false,
    limit: rule.limit,
    remaining: 0,
    resetMicros: nowMicros + retryAfterMicros,
    retryAfterMicros,
    bypassed: false,
    rule,
    source: 'FALLBACK_CLOSED',
  };
}
