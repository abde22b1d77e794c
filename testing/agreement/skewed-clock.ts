import { Random } from './random.ts';

/** How much faster than real time, so that windows come and go in a short run. */
const SPEED = 4;
const SECOND = 1_000_000;

/** A moment at which the answer for a key changes, give or take a µs. */
export interface Edge {
  readonly key: number;
  readonly micros: number;
}

/** A process's idea of the time: seconds away from the others', and jumping, also backwards. In epoch µs. */
export class SkewedClock {
  readonly #random: Random;
  readonly #startMicros: number;
  #skewMicros: number;
  /** By key, after its latest answer. */
  readonly #edges = new Map<number, number>();

  constructor(seed: number, startMicros: number) {
    this.#random = new Random(seed);
    this.#startMicros = startMicros;
    this.#skewMicros = this.#random.integer(-3 * SECOND, 3 * SECOND);
  }

  read(): number {
    const random = this.#random;
    if (random.chance(0.002)) {
      this.#skewMicros = random.chance(0.2)
        ? random.integer(-5 * SECOND, 5 * SECOND)
        : this.#skewMicros + random.integer(-100_000, 100_000);
    }
    return this.#now();
  }

  noteEdge(key: number, micros: number): void {
    this.#edges.set(key, micros);
  }

  /** Now and then one of the edges that are near: just then, the µs before, or the one after. */
  jumpToEdge(): Edge | undefined {
    const random = this.#random;
    if (!random.chance(0.1)) return undefined;
    const now = this.#now();
    // What is far ahead would stop the time of its key for the rest of the run.
    const near = [...this.#edges].filter(([, micros]) => Math.abs(micros - now) < SECOND / 2);
    const edge = near.length === 0 ? undefined : random.pick(near);
    return edge === undefined ? undefined : { key: edge[0], micros: edge[1] + random.integer(-1, 1) };
  }

  #now(): number {
    const elapsed = Math.max(0, Date.now() * 1_000 - this.#startMicros);
    return this.#startMicros + Math.floor(elapsed * SPEED) + this.#random.integer(0, 999) + this.#skewMicros;
  }
}
