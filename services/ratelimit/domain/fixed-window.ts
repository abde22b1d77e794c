import type { Limit } from './limit.ts';
import type { Debt, LimitModel } from './limit-model.ts';
import type { LimitState } from './limit-store.ts';

/**
 * One count, begun anew at every multiple of the window since the epoch. Admits up to twice the limit in a time of one
 * window that lies across such a multiple; never more than the limit between two of them.
 *
 * The window is that of now = max(clock, newest take), so it never goes back. It isn't stored: where its length was
 * edited, all that was counted counts as taken at the time of the newest.
 */
export class FixedWindow implements LimitModel {
  #newestMicros = Number.NEGATIVE_INFINITY;
  /** Start of the window in which the count began; what was taken before that isn't in it. */
  #begunMicros = 0;
  #count = 0;
  #deadAtMicros = Number.NEGATIVE_INFINITY;

  get deadAtMicros(): number {
    return this.#deadAtMicros;
  }

  look(clockMicros: number, cost: number, limit: Limit): LimitState {
    const now = this.#now(clockMicros);
    const count = this.#countAt(now, limit);
    const allowed = count + cost <= limit.limit;
    return {
      allowed,
      remaining: Math.max(0, limit.limit - count),
      resetMicros: count === 0 ? clockMicros : endOf(now, limit),
      retryAfterMicros: allowed ? 0 : endOf(now, limit) - clockMicros,
    };
  }

  take(clockMicros: number, cost: number, limit: Limit): LimitState {
    const now = this.#now(clockMicros);
    this.#add(now, cost, limit);
    return {
      allowed: true,
      remaining: limit.limit - this.#count,
      resetMicros: this.#deadAtMicros,
      retryAfterMicros: 0,
    };
  }

  refund(clockMicros: number, cost: number, resetMicros: number, limit: Limit): number {
    // Of a count that began after the window of the take did, it may not be a part.
    if (this.#now(clockMicros) >= resetMicros || this.#begunMicros > resetMicros - limit.windowMicros)
      return 0;
    const given = Math.min(cost, this.#count);
    this.#count -= given;
    return given;
  }

  renew(): number {
    return 0;
  }

  debt(clockMicros: number, limit: Limit): Debt {
    const now = this.#now(clockMicros);
    const count = this.#countAt(now, limit);
    return count === 0 ? [] : [now - this.#newestMicros, count];
  }

  settle(clockMicros: number, debt: Debt, limit: Limit): void {
    const now = this.#now(clockMicros);
    let units = 0;
    for (let at = 0; at < debt.length; at += 2) {
      const taken = now - Math.max(0, Number(debt[at]));
      if (endOf(taken, limit) === endOf(now, limit)) units += Number(debt[at + 1]);
    }
    if (units > 0) this.#add(now, units, limit);
  }

  #now(clockMicros: number): number {
    return Math.max(clockMicros, this.#newestMicros);
  }

  #countAt(now: number, limit: Limit): number {
    return endOf(this.#newestMicros, limit) === endOf(now, limit) ? this.#count : 0;
  }

  #add(now: number, units: number, limit: Limit): void {
    const end = endOf(now, limit);
    if (endOf(this.#newestMicros, limit) !== end) {
      this.#count = 0;
      this.#begunMicros = end - limit.windowMicros;
    }
    this.#newestMicros = now;
    this.#count += units;
    this.#deadAtMicros = end;
  }
}

function endOf(micros: number, { windowMicros }: Limit): number {
  return (Math.floor(micros / windowMicros) + 1) * windowMicros;
}
