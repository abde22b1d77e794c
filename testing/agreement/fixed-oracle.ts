import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import type { Debt } from '../../services/ratelimit/domain/limit-model.ts';
import type { GivenBack, Oracle, Room } from './oracle.ts';

/**
 * Sums up what was taken in each aligned window. After an edit of the window's length it is open, until the next
 * multiple of the new length, how much of the earlier count still counts.
 */
export class FixedOracle implements Oracle {
  #newest = Number.NEGATIVE_INFINITY;
  #windowMicros = 0;
  /** Number of the window that the two counts below are of. */
  #window = Number.NaN;
  #counted = 0;
  /** Of before an edit: it may count. */
  #carried = 0;

  room(clock: number, cost: number, { limit, windowMicros }: Limit): Room {
    const [sure, possible] = this.#bounds(clock, windowMicros);
    if (sure + cost > limit) return 'NO';
    return possible + cost <= limit ? 'YES' : 'EITHER';
  }

  take(clock: number, cost: number, limit: Limit): void {
    this.#add(clock, cost, limit);
  }

  refund(_clock: number, given: number, _part: GivenBack): void {
    const counted = Math.min(given, this.#counted);
    this.#counted -= counted;
    this.#carried -= Math.min(given - counted, this.#carried);
  }

  settle(clock: number, debt: Debt, limit: Limit): void {
    const { windowMicros } = limit;
    const now = Math.max(clock, this.#newest);
    let units = 0;
    for (let at = 0; at < debt.length; at += 2) {
      const taken = now - Number(debt[at]);
      if (Math.floor(taken / windowMicros) === Math.floor(now / windowMicros)) units += Number(debt[at + 1]);
    }
    if (units > 0) this.#add(clock, units, limit);
  }

  #add(clock: number, units: number, { windowMicros }: Limit): void {
    const [sure, possible] = this.#bounds(clock, windowMicros);
    this.#newest = Math.max(clock, this.#newest);
    this.#windowMicros = windowMicros;
    this.#window = Math.floor(this.#newest / windowMicros);
    this.#counted = sure + units;
    this.#carried = possible - sure;
  }

  /** The least and the most that counts. */
  #bounds(clock: number, windowMicros: number): [number, number] {
    if (windowMicros !== this.#windowMicros) return [0, this.#counted + this.#carried];
    if (Math.floor(Math.max(clock, this.#newest) / windowMicros) !== this.#window) return [0, 0];
    return [this.#counted, this.#counted + this.#carried];
  }
}
