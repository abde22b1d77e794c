import { MAX_LOG_UNITS, MAX_UNITS } from '../domain/algorithm.ts';
import type { Limit } from '../domain/limit.ts';
import { newModel } from '../domain/new-model.ts';
import type { CallerDemand, Demand } from './demand.ts';

/** A limit and what it would have denied. */
export interface TriedLimit {
  readonly limit: number;
  /** For `TOKEN_BUCKET`, in the proportion to the limit that the rule has. */
  readonly burst: number;
  readonly denied: number;
  /** Of all requests that the limit was asked about, 0 to 1. */
  readonly ratio: number;
}

export interface Suggestion {
  /** The smallest limit that denies no more than was wanted; undefined where the algorithm has none so large. */
  readonly suggested: TriedLimit | undefined;
  /** One unit less, which denies more; undefined where there is none, or nothing was suggested. */
  readonly below: TriedLimit | undefined;
  /** The smallest limit that denies nothing. */
  readonly withoutDenials: TriedLimit | undefined;
}

/**
 * Finds the smallest limit that denies at most a share of what was asked: by bisection over limits, each tried by
 * replaying all recorded requests through the algorithm's own model, as if it were the only limit.
 *
 * Where each request takes one unit, a larger limit never denies more than a smaller one, so no smaller one would do.
 * Where costs differ that is not so: one unit less denies too much then, and smaller ones may do by chance.
 *
 * @param ratio wanted at most, from 0 to below 1
 */
export function suggestLimit(limit: Limit, demand: Demand, ratio: number): Suggestion {
  // The busiest first: a limit that is far too small is known as such after few of them.
  const callers = [...demand.callers.values()].sort((a, b) => b.units - a.units);
  const most = Math.floor(ratio * demand.requests);
  const withoutDenials = smallest(limit, callers, demand.requests, 0);
  const suggested = most === 0 ? withoutDenials : smallest(limit, callers, demand.requests, most);
  const less = (suggested?.limit ?? 0) - 1;
  const below = less < 1 ? undefined : tried(limit, callers, demand.requests, less);
  return { suggested, below, withoutDenials };
}

function smallest(
  limit: Limit,
  callers: readonly CallerDemand[],
  requests: number,
  mostDenied: number,
): TriedLimit | undefined {
  const bound = limit.algorithm === 'SLIDING_WINDOW_LOG' ? MAX_LOG_UNITS : MAX_UNITS;
  // Whoever asks for no more than the limit in all is never denied; a bucket may be smaller than its limit.
  const enough = Math.ceil((callers[0]?.units ?? 1) * Math.max(1, limit.limit / limit.burst));
  let high = Math.min(bound, Math.max(1, enough));
  if (deniedBy(withLimit(limit, high), callers, mostDenied) > mostDenied) return undefined;
  let low = 0;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (deniedBy(withLimit(limit, middle), callers, mostDenied) > mostDenied) low = middle;
    else high = middle;
  }
  return tried(limit, callers, requests, high);
}

function tried(limit: Limit, callers: readonly CallerDemand[], requests: number, units: number): TriedLimit {
  const candidate = withLimit(limit, units);
  const denied = deniedBy(candidate, callers, Number.POSITIVE_INFINITY);
  return { limit: units, burst: candidate.burst, denied, ratio: requests === 0 ? 0 : denied / requests };
}

function withLimit(limit: Limit, units: number): Limit {
  return {
    ...limit,
    limit: units,
    burst: Math.min(MAX_UNITS, Math.ceil((units * limit.burst) / limit.limit)),
  };
}

/** How many requests a limit denies; any number above `enough` once it is known to be more than that. */
function deniedBy(limit: Limit, callers: readonly CallerDemand[], enough: number): number {
  let denied = 0;
  for (const caller of callers) {
    // All that follow ask for less.
    if (caller.units <= limit.burst || denied > enough) break;
    denied += deniedOf(limit, caller);
  }
  return denied;
}

function deniedOf(limit: Limit, { times, costs, holds }: CallerDemand): number {
  const model = newModel(limit.algorithm);
  let denied = 0;
  for (let index = 0; index < times.length; index += 1) {
    const [time, cost, hold] = [times[index] as number, costs?.[index] ?? 1, holds?.[index]];
    const lease = hold === undefined ? '' : String(index);
    // A lease ends with what it is for, as if its window were that long.
    const its = hold === undefined || hold >= limit.windowMicros ? limit : { ...limit, windowMicros: hold };
    if (cost > limit.burst || !model.look(time, cost, its, lease).allowed) denied += 1;
    else model.take(time, cost, its, lease);
  }
  return denied;
}
