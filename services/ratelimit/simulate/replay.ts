import type { Decision } from '../domain/decision.ts';
import { DirectStore } from '../domain/decision-store.ts';
import { CostExceedsLimit } from '../domain/errors.ts';
import { Limiter } from '../domain/limiter.ts';
import type { RuleSet } from '../domain/rule-set.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { TimeHeap } from './time-heap.ts';

/** A request as the limiter is asked about it. */
export interface AskedRequest {
  readonly timeMicros: number;
  readonly endpoint: string;
  readonly identifier: string;
  readonly cost: number;
  readonly roles: readonly string[];
  /** How long what it leases is held; undefined: nobody knows. */
  readonly durationMicros: number | undefined;
}

interface Release {
  readonly timeMicros: number;
  readonly receipt: string;
}

/** Keys that are looked at for dead ones, once every so many requests: what the store's own timer is too slow for. */
const SWEEP_EVERY = 1_000;
const SWEEP_KEYS = 4_000;
const MAX_KEYS = 1_000_000;

/** The service's own limiter over the reference models, by the time of the requests. */
export class Replay implements Disposable {
  /** Whether there were ever too many keys to hold all of them, so that some callers had their limit back early. */
  overflowed = false;
  /** Leases that were held for the limit's whole window, since nobody knows how long the operation took. */
  unknownDurations = 0;
  readonly #limiter: Limiter;
  readonly #store: MemoryStore;
  readonly #maxKeys: number;
  readonly #releases = new TimeHeap<Release>();
  #nowMicros = 0;
  #asked = 0;

  /** @param maxKeys that are counted at one time. Default: 1,000,000. */
  constructor(rules: RuleSet, maxKeys = MAX_KEYS) {
    const clock = () => this.#nowMicros;
    this.#maxKeys = maxKeys;
    this.#store = new MemoryStore({ clock, maxKeys });
    this.#limiter = new Limiter({
      rules: () => rules,
      store: new DirectStore(this.#store),
      enabled: true,
      clock,
    });
  }

  /** Whether leases end until then: {@link release} has to be waited for first. */
  hasReleases(untilMicros: number): boolean {
    return (this.#releases.first?.timeMicros ?? Number.POSITIVE_INFINITY) <= untilMicros;
  }

  /** Gives back the leases of operations that were over by then, each at its time. */
  async release(untilMicros: number): Promise<void> {
    while (this.hasReleases(untilMicros)) {
      const { timeMicros, receipt } = this.#releases.pop() as Release;
      this.#nowMicros = timeMicros;
      await this.#limiter.refund(receipt);
    }
  }

  /**
   * Decides a request. Times must not go back.
   *
   * @returns undefined where the cost is more than a limit ever has, which CheckLimit answers with INVALID_ARGUMENT
   */
  ask({ timeMicros, durationMicros, ...request }: AskedRequest): Decision | undefined {
    this.#nowMicros = timeMicros;
    this.#asked += 1;
    if (this.#asked % SWEEP_EVERY === 0) this.#store.sweep(SWEEP_KEYS);
    try {
      const decision = this.#limiter.check({ ...request, also: [], refundable: false });
      if (decision instanceof Promise) throw new Error('the memory store answers at once');
      if (decision.receipt !== '') this.#hold(decision.receipt, durationMicros);
      if (this.#store.size >= this.#maxKeys) this.overflowed = true;
      return decision;
    } catch (error) {
      if (error instanceof CostExceedsLimit) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }

  #hold(receipt: string, durationMicros: number | undefined): void {
    if (durationMicros === undefined) this.unknownDurations += 1;
    else this.#releases.push({ timeMicros: this.#nowMicros + durationMicros, receipt });
  }
}
