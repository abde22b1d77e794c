/** Lets one line of a kind through in a while: what each request would say again is said once. */
export class LogThrottle {
  readonly #everyMs: number;
  readonly #now: () => number;
  #quietUntil = Number.NEGATIVE_INFINITY;
  #keptBack = 0;

  /** @param now a clock that never goes back, in milliseconds */
  constructor(everyMs: number, now: () => number = () => performance.now()) {
    this.#everyMs = everyMs;
    this.#now = now;
  }

  /** How many lines were kept back since the last that was let through; undefined where this one is kept back too. */
  pass(): number | undefined {
    const now = this.#now();
    if (now < this.#quietUntil) {
      this.#keptBack += 1;
      return undefined;
    }
    this.#quietUntil = now + this.#everyMs;
    const keptBack = this.#keptBack;
    this.#keptBack = 0;
    return keptBack;
  }
}
