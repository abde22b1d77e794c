import { COUNTER_PARTS } from '../../services/ratelimit/domain/algorithm.ts';
import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import type { Debt } from '../../services/ratelimit/domain/limit-model.ts';
import type { GivenBack, Oracle, Room } from './oracle.ts';

interface Entry {
  readonly time: number;
  units: number;
  /** Whether it surely counts for a window: not once the window was edited. */
  sure: boolean;
  /** How much longer than by the published bound it may count, by edits of the window, in µs. */
  longer: number;
}

/**
 * The published bound: a unit counts for a window W at least, and for less than W + w, where w is a tenth of W rounded
 * up. Between the two it is open.
 */
export class CounterOracle implements Oracle {
  #newest = Number.NEGATIVE_INFINITY;
  #windowMicros = 0;
  #entries: Entry[] = [];

  room(clock: number, cost: number, limit: Limit): Room {
    const now = Math.max(clock, this.#newest);
    const edited = this.#isEditedBy(limit);
    let [sure, possible] = [0, 0];
    for (const entry of this.#entries) {
      if (entry.sure && !edited && entry.time + limit.windowMicros > now) sure += entry.units;
      if (this.#lastEnd(entry, limit) > now) possible += entry.units;
    }
    if (sure + cost > limit.limit) return 'NO';
    return possible + cost <= limit.limit ? 'YES' : 'EITHER';
  }

  take(clock: number, cost: number, limit: Limit): void {
    this.#add(clock, [{ time: Math.max(clock, this.#newest), units: cost, sure: true, longer: 0 }], limit);
  }

  refund(clock: number, given: number, { limit, resetMicros }: GivenBack): void {
    const width = widthOf(limit);
    const began = resetMicros - limit.windowMicros - (width - 1);
    let left = given;
    if (!this.#isEditedBy(limit)) {
      const sameTenth = ({ time, longer }: Entry) =>
        longer === 0 && Math.floor(time / width) === Math.floor(began / width);
      left = reduce(this.#entries.filter(sameTenth).reverse(), left);
    }
    if (left > 0) this.#giveBackSomewhere(Math.max(clock, this.#newest), left, limit);
    this.#entries = this.#entries.filter(({ units }) => units > 0);
  }

  settle(clock: number, debt: Debt, limit: Limit): void {
    const width = widthOf(limit);
    const now = Math.max(clock, this.#newest);
    const settled: Entry[] = [];
    for (let at = 0; at < debt.length; at += 2) {
      const time = now - Number(debt[at]);
      const partEnds = Math.floor(time / width) * width + width - 1 + limit.windowMicros;
      if (partEnds > now) settled.push({ time, units: Number(debt[at + 1]), sure: true, longer: 0 });
    }
    if (settled.length > 0) this.#add(clock, settled, limit);
  }

  #add(clock: number, entries: readonly Entry[], limit: Limit): void {
    const now = Math.max(clock, this.#newest);
    this.#entries = this.#entries.filter((entry) => this.#lastEnd(entry, limit) > now);
    if (this.#isEditedBy(limit)) {
      for (const entry of this.#entries) {
        entry.sure = false;
        entry.longer += this.#moved(limit);
      }
    }
    this.#entries.push(...entries);
    this.#newest = now;
    this.#windowMicros = limit.windowMicros;
  }

  /** After an edit nobody can tell which: so that what may count stays an upper bound, and what surely does a lower. */
  #giveBackSomewhere(now: number, units: number, limit: Limit): void {
    const longestLast = this.#entries.toSorted((a, b) => this.#lastEnd(b, limit) - this.#lastEnd(a, limit));
    let unsure = units;
    for (const entry of longestLast) {
      if (unsure <= 0) break;
      if (!entry.sure) continue;
      entry.sure = false;
      unsure -= entry.units;
    }
    const alive = longestLast.filter((entry) => this.#lastEnd(entry, limit) > now);
    reduce(alive.reverse(), units);
  }

  /** When it surely counts no more. */
  #lastEnd({ time, longer }: Entry, limit: Limit): number {
    const moved = this.#isEditedBy(limit) ? this.#moved(limit) : 0;
    return time + limit.windowMicros + widthOf(limit) - 1 + longer + moved;
  }

  #isEditedBy({ windowMicros }: Limit): boolean {
    return windowMicros !== this.#windowMicros;
  }

  /** By how much an edit to this limit may move what was counted: to the end of a part, of the old and of the new. */
  #moved(limit: Limit): number {
    return Math.ceil(this.#windowMicros / COUNTER_PARTS) + widthOf(limit);
  }
}

function widthOf({ windowMicros }: Limit): number {
  return Math.ceil(windowMicros / COUNTER_PARTS);
}

/** Takes units off the entries, one after the other; tells how many it did not find. */
function reduce(entries: readonly Entry[], units: number): number {
  let left = units;
  for (const entry of entries) {
    const taken = Math.min(left, entry.units);
    entry.units -= taken;
    left -= taken;
  }
  return left;
}
