import type { Limit } from './limit.ts';
import type { LimitState } from './limit-store.ts';

/**
 * What one key holds under one algorithm: the reference model that the Lua script is tested against, operation by
 * operation, and what the memory store counts with. The limit is given with each call, since it can be edited between
 * two: what was consumed stays consumed.
 *
 * All times are integer µs since the epoch, of a clock that may be set back: a model neither forgets nor grants
 * anything by that.
 */
export interface LimitModel {
  /** From when on the model holds nothing that counts, so that it may be dropped. */
  readonly deadAtMicros: number;
  /**
   * Decides without changing anything; `remaining` and `resetMicros` are those of now. `lease` as take() would get it:
   * what that holds already makes room for it.
   */
  look(clockMicros: number, cost: number, limit: Limit, lease: string): LimitState;
  /** Counts what look() allowed at the same clock; answers the state after that. */
  take(clockMicros: number, cost: number, limit: Limit, lease: string): LimitState;
  /** Gives back up to `cost` units of those taken by the take that answered `resetMicros`; tells how many. */
  refund(clockMicros: number, cost: number, resetMicros: number, limit: Limit, lease: string): number;
  /** Lets a lease last for a window from now; tells its end, 0 where it has ended. */
  renew(clockMicros: number, cost: number, limit: Limit, lease: string): number;
  /** What is consumed at this moment, relative to it, in the form that settle() of the same algorithm takes. */
  debt(clockMicros: number, limit: Limit): Debt;
  /** Adds what was consumed elsewhere, allowed or not: the key may then hold more than its limit. */
  settle(clockMicros: number, debt: Debt, limit: Limit): void;
}

/**
 * Consumption that can be moved from one store to another whose clock differs: flat, by algorithm.
 *
 * - log, counter, fixed window: age in µs and units, in pairs, oldest first;
 * - bucket: units still to be refilled (a real number is rounded up);
 * - concurrency: lease, units and µs left to live, in threes.
 */
export type Debt = readonly (number | string)[];
