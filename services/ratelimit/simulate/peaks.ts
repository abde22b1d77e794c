/** The most units in one window, and when that began (µs since the epoch). */
export interface Peak {
  readonly units: number;
  readonly atMicros: number;
}

/** The peak of one caller. */
export interface CallerPeak extends Peak {
  readonly identifier: string;
}

/** Callers that are told apart within one window. */
const MAX_CALLERS = 1_000_000;

/** Finds the fullest of the windows that begin at multiples of their length since the epoch. Times must not go back. */
export class WindowPeak {
  peak: Peak | undefined;
  readonly #windowMicros: number;
  #start = Number.NEGATIVE_INFINITY;
  #units = 0;

  constructor(windowMicros: number) {
    this.#windowMicros = windowMicros;
  }

  add(timeMicros: number, units: number): void {
    const start = timeMicros - (timeMicros % this.#windowMicros);
    if (start !== this.#start) this.#units = 0;
    this.#start = start;
    this.#units += units;
    if (this.#units > (this.peak?.units ?? 0)) this.peak = { units: this.#units, atMicros: start };
  }
}

/**
 * Finds the caller with the most in one such window. Of callers beyond the first million of a window it knows nothing,
 * so memory is bounded.
 */
export class CallerWindowPeak {
  peak: CallerPeak | undefined;
  readonly #windowMicros: number;
  readonly #units = new Map<string, number>();
  #start = Number.NEGATIVE_INFINITY;

  constructor(windowMicros: number) {
    this.#windowMicros = windowMicros;
  }

  add(timeMicros: number, units: number, identifier: string): void {
    const start = timeMicros - (timeMicros % this.#windowMicros);
    if (start !== this.#start) this.#units.clear();
    this.#start = start;
    const before = this.#units.get(identifier) ?? 0;
    if (before === 0 && this.#units.size >= MAX_CALLERS) return;
    const now = before + units;
    this.#units.set(identifier, now);
    if (now > (this.peak?.units ?? 0)) this.peak = { units: now, atMicros: start, identifier };
  }
}
