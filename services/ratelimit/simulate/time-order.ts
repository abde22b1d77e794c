import { type Timed, TimeHeap } from './time-heap.ts';

/** More than this is not held back: some 100 MB. */
const MAX_HELD = 500_000;

/**
 * Puts a stream in order by time, as far as nothing comes later than `windowMicros` after something newer: servers write
 * a line when a request ends, several of them into one log. Equal times stay in their order.
 *
 * What comes later than that is late, and left out. At most `maxHeld` are held back; beyond that the oldest goes on early.
 */
export class TimeOrder<T extends Timed> {
  /** How many came after something newer, and were put in their place. */
  sorted = 0;
  readonly #windowMicros: number;
  readonly #maxHeld: number;
  readonly #held = new TimeHeap<T>();
  #newestMicros = Number.NEGATIVE_INFINITY;
  #releasedMicros = Number.NEGATIVE_INFINITY;

  constructor(windowMicros: number, maxHeld = MAX_HELD) {
    this.#windowMicros = windowMicros;
    this.#maxHeld = maxHeld;
  }

  /** @returns false for what is late */
  add(item: T): boolean {
    if (item.timeMicros < this.#releasedMicros) return false;
    if (item.timeMicros < this.#newestMicros) this.sorted += 1;
    else this.#newestMicros = item.timeMicros;
    this.#held.push(item);
    return true;
  }

  /** Takes the next that nothing in time can come before; undefined where there is none yet. */
  next(): T | undefined {
    const { first } = this.#held;
    if (first === undefined) return undefined;
    const isDue = first.timeMicros < this.#newestMicros - this.#windowMicros;
    return isDue || this.#held.size > this.#maxHeld ? this.nextOfRest() : undefined;
  }

  /** Takes the next of all that is left, once nothing is added any more. */
  nextOfRest(): T | undefined {
    const item = this.#held.pop();
    if (item !== undefined) this.#releasedMicros = item.timeMicros;
    return item;
  }
}
