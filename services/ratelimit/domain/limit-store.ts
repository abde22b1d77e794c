import type { Limit } from './limit.ts';

/** One limit to be asked about one key. */
export interface Term {
  /** Under which this limit counts, for example `ratelimit:auth_login:{user:1}`. */
  readonly key: string;
  readonly limit: Limit;
  /** Units: 1 to the limit's {@link Limit.burst}. */
  readonly cost: number;
}

/** Terms that are decided together. No two have the same key. */
export interface Ask<T extends Term = Term> {
  readonly terms: readonly T[];
  /** Only looks: nothing is counted. */
  readonly peek: boolean;
  /** Names what is taken of `CONCURRENCY` limits: 1 to 64 characters of `A-Z a-z 0-9 _ -`; '' where there are none. */
  readonly lease: string;
}

/** What one limit says to one term. */
export interface LimitState {
  /** Whether this limit by itself has room for the cost. */
  readonly allowed: boolean;
  /** Units left, after the check where it was counted. */
  readonly remaining: number;
  /** When the whole limit is back if nothing more is taken, in µs since the epoch; not before now. */
  readonly resetMicros: number;
  /** Least time until the same cost can be allowed, in µs; 0 when allowed. */
  readonly retryAfterMicros: number;
}

/** What was taken of one key, and which of it: so that just that can be given back. */
export interface Taken {
  readonly key: string;
  readonly limit: Limit;
  readonly cost: number;
  /** {@link LimitState.resetMicros} of the answer that took it. */
  readonly resetMicros: number;
}

/**
 * Counts units by key. Every implementation decides like the models in this folder (sliding-window-log.ts and so on).
 *
 * An ask's enforced terms are taken together if each of them has room, else none of them, and none of the shadow terms
 * either. Where the enforced are taken, the shadow terms (`limit.shadow`) are taken together if each of those has room.
 * What isn't taken changes nothing: no content, no expiry.
 */
export interface LimitStore {
  readonly source: 'REDIS' | 'MEMORY';
  /** One state a term, in order. A store that answers without waiting returns no promise. */
  decide(ask: Ask): Promise<readonly LimitState[]> | readonly LimitState[];
  /**
   * Gives back what was taken under `id`, once: a second time changes nothing. Never leaves a key with more room than
   * if it had not been taken at all; units that have run out meanwhile are not given back. `id` names the leases too.
   *
   * @param oneOff whether whoever took it gives it back at once, and never again: then the id need not be remembered.
   *   Default: false.
   * @returns units given back, of each part in order.
   */
  refund(
    id: string,
    parts: readonly Taken[],
    oneOff?: boolean,
  ): Promise<readonly number[]> | readonly number[];
  /**
   * Lets the leases of `id` last for a whole window from now.
   *
   * @returns when each ends, in µs since the epoch; 0 for one that has ended or was given back.
   */
  renew(id: string, parts: readonly Taken[]): Promise<readonly number[]> | readonly number[];
  /** Forgets keys. @returns how many were there. */
  reset(keys: readonly string[]): Promise<number> | number;
}
