/**
 * Tells a service that has gone silent from one that is late with a single answer: for how long nothing at all was heard
 * while answers were due.
 */
export class Silence {
  /** performance.now() of the first question since the service was heard last, or of then where others were open. */
  #since: number | undefined;

  /** @param at performance.now() of the question */
  asked(at: number): void {
    this.#since ??= at;
  }

  /** @param waiting whether further answers are due */
  heard(waiting: boolean): void {
    this.#since = waiting ? performance.now() : undefined;
  }

  /** Whether the silence has lasted for so long, in milliseconds. */
  lasts(ms: number): boolean {
    // Timers of Node may come up to a millisecond early.
    return this.#since !== undefined && performance.now() - this.#since >= ms - 1;
  }
}
