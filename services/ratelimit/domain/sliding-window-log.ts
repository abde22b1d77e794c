import type { LimitState } from './limit-store.ts';

/**
 * The exact sliding-window log of one key: the time of every unit taken. The reference model that the Lua script is
 * tested against, and what the memory store counts with.
 *
 * Time is integer µs. A unit taken at t counts while now < t + window, so any window of that length holds at most
 * `limit` units. Time never runs backwards for a key: now = max(clock, newest entry), so a clock that is set back
 * neither loses nor prolongs what was counted before. A denied check changes nothing at all.
 */
export class SlidingWindowLog {
  /** When each unit was taken, ascending (the clamp of time sees to that). May begin with dead entries. */
  readonly #times: number[] = [];

  /** Time of the newest unit, dead or alive; -Infinity before the first. */
  get newestMicros(): number {
    return this.#times.at(-1) ?? Number.NEGATIVE_INFINITY;
  }

  /** Decides one check at `clockMicros` as {@link LimitStore.take} says. `cost` is 1 to `limit`. */
  take(clockMicros: number, cost: number, limit: number, windowMicros: number): LimitState {
    const times = this.#times;
    const newest = this.newestMicros;
    const now = Math.max(clockMicros, newest);
    const dead = this.#countUpTo(now - windowMicros);
    const live = times.length - dead;

    if (live + cost > limit) {
      // So many of the oldest live units have to die before the cost has room. A lowered limit can ask for several.
      const dying = times[dead + (live + cost - limit) - 1] as number;
      return {
        allowed: false,
        remaining: Math.max(0, limit - live),
        resetMicros: newest + windowMicros,
        // From the real clock, since that is the one the caller waits by.
        retryAfterMicros: dying + windowMicros - clockMicros,
      };
    }

    if (dead > 0) times.splice(0, dead);
    for (let unit = 0; unit < cost; unit++) times.push(now);
    return {
      allowed: true,
      remaining: limit - live - cost,
      resetMicros: now + windowMicros,
      retryAfterMicros: 0,
    };
  }

  /** How many entries are at `micros` or before: binary search. */
  #countUpTo(micros: number): number {
    const times = this.#times;
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] as number) <= micros) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
