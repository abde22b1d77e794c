import { COUNTER_PARTS } from './algorithm.ts';
import type { Limit } from './limit.ts';
import type { Debt, LimitModel } from './limit-model.ts';
import type { LimitState } from './limit-store.ts';

/** What counts at one moment: units by part, from the newest part back, and when that is. */
interface View {
  readonly now: number;
  /** Number of the part that `now` is in. */
  readonly newest: number;
  readonly counts: number[];
  readonly live: number;
}

/**
 * One count for each tenth of a window: O(1) in memory. Parts of w = ceil(window / 10) µs begin at multiples of w since
 * the epoch, and part p counts wholly while now < last(p) + window, where last(p) is its last µs. So a unit counts for
 * at least a window and less than w longer: no window of that length ever holds more than `limit` units, and a unit is
 * held at most w - 1 µs too long.
 *
 * Time never runs backwards: now = max(clock, newest take). Where an edit of the window changes w, every part goes to
 * the new part that its last µs is in, or that of now if that is earlier.
 */
export class SlidingWindowCounter implements LimitModel {
  #newestMicros = Number.NEGATIVE_INFINITY;
  #width = 1;
  /** Units by part, from that of #newestMicros back. */
  #counts: number[] = [];
  #deadAtMicros = Number.NEGATIVE_INFINITY;

  get deadAtMicros(): number {
    return this.#deadAtMicros;
  }

  look(clockMicros: number, cost: number, limit: Limit): LimitState {
    const { newest, counts, live } = this.#view(clockMicros, limit);
    const back = counts.findIndex((count) => count > 0);
    const allowed = live + cost <= limit.limit;
    return {
      allowed,
      remaining: Math.max(0, limit.limit - live),
      resetMicros: back === -1 ? clockMicros : endOf(newest - back, limit),
      retryAfterMicros: allowed
        ? 0
        : endOf(newest - partToDie(counts, live + cost - limit.limit), limit) - clockMicros,
    };
  }

  take(clockMicros: number, cost: number, limit: Limit): LimitState {
    const view = this.#view(clockMicros, limit);
    view.counts[0] = (view.counts[0] ?? 0) + cost;
    this.#write(view, limit);
    return {
      allowed: true,
      remaining: limit.limit - view.live - cost,
      resetMicros: this.#deadAtMicros,
      retryAfterMicros: 0,
    };
  }

  /** From the part that the take was in. If edits moved that, then from one that dies no later. */
  refund(clockMicros: number, cost: number, resetMicros: number, limit: Limit): number {
    const now = Math.max(clockMicros, this.#newestMicros);
    const began = resetMicros - limit.windowMicros - (widthOf(limit) - 1);
    const part = Math.floor(began / this.#width);
    const back = Math.floor(this.#newestMicros / this.#width) - part;
    const count = this.#counts[back] ?? 0;
    if (count === 0 || (part + 1) * this.#width - 1 + limit.windowMicros <= now) return 0;
    const given = Math.min(cost, count);
    this.#counts[back] = count - given;
    return given;
  }

  renew(): number {
    return 0;
  }

  debt(clockMicros: number, limit: Limit): Debt {
    const { now, newest, counts } = this.#view(clockMicros, limit);
    const debt: number[] = [];
    for (let back = counts.length - 1; back >= 0; back--) {
      const age = Math.max(0, now - (endOf(newest - back, limit) - limit.windowMicros));
      if (counts[back]) debt.push(age, counts[back] as number);
    }
    return debt;
  }

  settle(clockMicros: number, debt: Debt, limit: Limit): void {
    const view = this.#view(clockMicros, limit);
    let settled = false;
    for (let at = 0; at < debt.length; at += 2) {
      const part = Math.floor((view.now - Math.max(0, Number(debt[at]))) / widthOf(limit));
      if (endOf(part, limit) <= view.now) continue;
      const back = view.newest - part;
      view.counts[back] = (view.counts[back] ?? 0) + Number(debt[at + 1]);
      settled = true;
    }
    if (settled) this.#write(view, limit);
  }

  #view(clockMicros: number, limit: Limit): View {
    const now = Math.max(clockMicros, this.#newestMicros);
    const width = widthOf(limit);
    const newest = Math.floor(now / width);
    const counts: number[] = new Array(COUNTER_PARTS + 1).fill(0);
    let live = 0;
    let part = Math.floor(this.#newestMicros / this.#width);
    for (const count of this.#counts) {
      const moved =
        width === this.#width ? part : Math.floor(Math.min((part + 1) * this.#width - 1, now) / width);
      if (endOf(moved, limit) > now) {
        counts[newest - moved] = (counts[newest - moved] ?? 0) + count;
        live += count;
      }
      part--;
    }
    return { now, newest, counts, live };
  }

  #write({ now, newest, counts }: View, limit: Limit): void {
    this.#newestMicros = now;
    this.#width = widthOf(limit);
    this.#counts = counts;
    this.#deadAtMicros = endOf(newest, limit);
  }
}

function widthOf({ windowMicros }: Limit): number {
  return Math.ceil(windowMicros / COUNTER_PARTS);
}

/** When a part is dead. */
function endOf(part: number, limit: Limit): number {
  return (part + 1) * widthOf(limit) - 1 + limit.windowMicros;
}

/** How far back the part is with whose death so many units are gone. */
function partToDie(counts: readonly number[], units: number): number {
  let back = counts.length - 1;
  for (let gone = counts[back] ?? 0; gone < units; gone += counts[back] as number) back--;
  return back;
}
