import type { Limit } from './limit.ts';
import type { Debt, LimitModel } from './limit-model.ts';
import type { LimitState } from './limit-store.ts';

/**
 * The exact sliding-window log of one key: the time of every unit taken.
 *
 * A unit taken at t counts while now < t + window, so any window of that length holds at most `limit` units. Time never
 * runs backwards for a key: now = max(clock, newest entry), so a clock that is set back neither loses nor prolongs what
 * was counted before.
 */
export class SlidingWindowLog implements LimitModel {
  /** When each unit was taken, ascending (the clamp of time sees to that). May begin with dead entries. */
  #times: number[] = [];
  #deadAtMicros = Number.NEGATIVE_INFINITY;

  get deadAtMicros(): number {
    return this.#deadAtMicros;
  }

  look(clockMicros: number, cost: number, limit: Limit): LimitState {
    const { windowMicros } = limit;
    const now = this.#now(clockMicros);
    const dead = this.#countBefore(now - windowMicros + 1);
    const live = this.#times.length - dead;
    const excess = live + cost - limit.limit;
    return {
      allowed: excess <= 0,
      remaining: Math.max(0, limit.limit - live),
      resetMicros: live === 0 ? clockMicros : this.#newestMicros + windowMicros,
      // So many of the oldest live units have to die before the cost has room; by the real clock, since that is the
      // one the caller waits by.
      retryAfterMicros:
        excess <= 0 ? 0 : (this.#times[dead + excess - 1] as number) + windowMicros - clockMicros,
    };
  }

  take(clockMicros: number, cost: number, { limit, windowMicros }: Limit): LimitState {
    const now = this.#now(clockMicros);
    const dead = this.#countBefore(now - windowMicros + 1);
    if (dead > 0) this.#times.splice(0, dead);
    for (let unit = 0; unit < cost; unit++) this.#times.push(now);
    this.#deadAtMicros = now + windowMicros;
    return {
      allowed: true,
      remaining: limit - this.#times.length,
      resetMicros: now + windowMicros,
      retryAfterMicros: 0,
    };
  }

  refund(clockMicros: number, cost: number, resetMicros: number, { windowMicros }: Limit): number {
    if (resetMicros <= this.#now(clockMicros)) return 0;
    const taken = resetMicros - windowMicros;
    const first = this.#countBefore(taken);
    const given = Math.min(cost, this.#countBefore(taken + 1) - first);
    this.#times.splice(first, given);
    return given;
  }

  renew(): number {
    return 0;
  }

  debt(clockMicros: number, { windowMicros }: Limit): Debt {
    const now = this.#now(clockMicros);
    const debt: number[] = [];
    for (let at = this.#countBefore(now - windowMicros + 1); at < this.#times.length; ) {
      const taken = this.#times[at] as number;
      const after = this.#countBefore(taken + 1);
      debt.push(now - taken, after - at);
      at = after;
    }
    return debt;
  }

  settle(clockMicros: number, debt: Debt, { windowMicros }: Limit): void {
    const now = this.#now(clockMicros);
    const settled: number[] = [];
    for (let at = 0; at < debt.length; at += 2) {
      const taken = now - Math.max(0, Number(debt[at]));
      if (taken + windowMicros <= now) continue;
      for (let unit = Number(debt[at + 1]); unit > 0; unit--) settled.push(taken);
    }
    if (settled.length === 0) return;
    const live = this.#times.slice(this.#countBefore(now - windowMicros + 1));
    this.#times = live.concat(settled).sort((a, b) => a - b);
    this.#deadAtMicros = this.#newestMicros + windowMicros;
  }

  get #newestMicros(): number {
    return this.#times.at(-1) ?? Number.NEGATIVE_INFINITY;
  }

  #now(clockMicros: number): number {
    return Math.max(clockMicros, this.#newestMicros);
  }

  /** How many entries are before `micros`: binary search. */
  #countBefore(micros: number): number {
    const times = this.#times;
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] as number) < micros) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
