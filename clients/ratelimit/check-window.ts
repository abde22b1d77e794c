/** As many as the service reads ahead of the answers that were taken. */
const MOST = 10_000;
const LEAST = 100;
/** Of what was answered in time, this part is added. */
const GROWTH = 0.1;

/**
 * How many checks may be under way on a stream. A stream takes thousands; where the service answers them more slowly
 * than they come, all of them would be answered too late, for ever. So the window is halved, once a round trip, when
 * answers take longer than the target, and grows again while they don't: a congestion window that goes by delay, as
 * in RFC 6817 (LEDBAT).
 */
export class CheckWindow {
  readonly #targetMs: number;
  #size = MOST;
  #narrowedAt = Number.NEGATIVE_INFINITY;

  /** @param targetMs how long an answer may take before the window is narrowed */
  constructor(targetMs: number) {
    this.#targetMs = targetMs;
  }

  get size(): number {
    return Math.floor(this.#size);
  }

  /** Whether answers were slow of late: checks that waited long already would be answered too late. */
  get narrowed(): boolean {
    return this.#size < MOST;
  }

  /**
   * Some were answered.
   *
   * @param sentAt performance.now() of when the first of them was sent
   * @param underWay how many were, before
   */
  answered(count: number, sentAt: number, underWay: number): void {
    const now = performance.now();
    if (now - sentAt <= this.#targetMs) {
      this.#size = Math.min(MOST, this.#size + count * GROWTH);
    } else if (sentAt > this.#narrowedAt) {
      this.#size = Math.max(LEAST, Math.min(this.#size, underWay) / 2);
      this.#narrowedAt = now;
    }
  }
}
