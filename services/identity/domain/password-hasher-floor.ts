import { setTimeout as sleep } from 'node:timers/promises';

/** Weight of the newest duration in each moving average: ten checks or so decide. */
const NEWEST_WEIGHT = 0.2;
/** How far above the slowest average the floor lies, so that checks rarely outlast it. */
const MARGIN = 1.5;
/** Costs remembered; of more, the fastest are forgotten. */
const MAX_COSTS = 64;

/**
 * Makes refusals take equally long while hashes of another cost than today's are stored. An imported hash that takes
 * longer, or less long, to check than the decoy would tell by time alone that its address is registered.
 *
 * Off until such a cost was seen: then all hashes take the same time anyway.
 */
export class RefusalFloor {
  readonly #today: string;
  readonly #averageMs = new Map<string, number>();

  /** `today` is the cost of new hashes and of the decoy. */
  constructor(today: string) {
    this.#today = today;
  }

  /** What a refusal lasts at least, in milliseconds; 0 while only today's cost was seen. */
  get ms(): number {
    const hasOthers = this.#averageMs.size > (this.#averageMs.has(this.#today) ? 1 : 0);
    return hasOthers ? MARGIN * Math.max(...this.#averageMs.values()) : 0;
  }

  /** Whether a hash of this cost was timed. */
  knows(cost: string): boolean {
    return this.#averageMs.has(cost);
  }

  /** Takes in how long a check took. */
  record(cost: string, tookMs: number): void {
    const average = this.#averageMs.get(cost) ?? tookMs;
    this.#averageMs.set(cost, average + NEWEST_WEIGHT * (tookMs - average));
    if (this.#averageMs.size <= MAX_COSTS) return;
    const [fastest] = [...this.#averageMs]
      .sort(([, a], [, b]) => a - b)
      .filter(([key]) => key !== this.#today);
    if (fastest !== undefined) this.#averageMs.delete(fastest[0]);
  }

  /**
   * Waits until the floor is over. Where it is over already, until the next multiple of it: what comes late, as on a
   * busy machine, is brought into step again.
   *
   * @param startedAt when the check began, by `performance.now()`
   */
  async wait(startedAt: number): Promise<void> {
    const floorMs = this.ms;
    if (floorMs === 0) return;
    const elapsedMs = performance.now() - startedAt;
    await sleep(Math.ceil(elapsedMs / floorMs) * floorMs - elapsedMs);
  }
}
