import type { Limit } from './limit.ts';

/**
 * What one process may admit of a limit that several share while they can't count together: an equal part, rounded
 * down so that all of them together keep within the limit, and at least one unit so that nobody is shut out. (Where the
 * limit is less than the number of processes, they together admit one unit each.)
 */
export class LocalShare {
  readonly #processes: () => number;
  #cachedFor = 1;
  #shares = new WeakMap<Limit, Limit>();

  /** @param processes how many share the limits at this moment, at least 1. */
  constructor(processes: () => number) {
    this.#processes = processes;
  }

  /** The same object for the same limit for as long as the number of processes stays. */
  of(limit: Limit): Limit {
    const processes = this.#processes();
    if (processes <= 1) return limit;
    if (processes !== this.#cachedFor) {
      this.#cachedFor = processes;
      this.#shares = new WeakMap();
    }
    let share = this.#shares.get(limit);
    if (share === undefined) {
      share = Object.freeze({
        ...limit,
        limit: partOf(limit.limit, processes),
        burst: partOf(limit.burst, processes),
      });
      this.#shares.set(limit, share);
    }
    return share;
  }
}

function partOf(units: number, processes: number): number {
  return Math.max(1, Math.floor(units / processes));
}
