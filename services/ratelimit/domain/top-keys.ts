import { type Clock, epochMicros } from './clock.ts';
import { SpaceSaving } from './space-saving.ts';
import { mergeSummaries, type TopSummary } from './top-summary.ts';

const GENERATION_MS = 300_000;
/**
 * Checks that are counted in one go. One at a time, each between two calls whose code and data are all others, they took
 * some three times as long.
 */
const COUNT_TOGETHER = 256;

/** What one process, or all together, know of the keys of late. */
export interface TopFigures {
  /** Since when was counted, in µs since the epoch. */
  readonly sinceMicros: number;
  /** By denied checks. */
  readonly denied: TopSummary;
  /** By checks, allowed and denied. */
  readonly checked: TopSummary;
}

export interface TopKeysOptions {
  /** Counters of each generation, for denied and for checked keys each. Default: 1,000. */
  readonly maxCounters?: number;
  /** Length of a generation in ms. Default: five minutes. */
  readonly generationMs?: number;
  /** Default: {@link epochMicros}. */
  readonly clock?: Clock;
}

interface Generation {
  readonly sinceMicros: number;
  readonly denied: SpaceSaving;
  readonly checked: SpaceSaving;
}

/**
 * Which keys this process checked and denied most of late, in bounded memory: two generations, of which the older is
 * forgotten when the newer is full of age. Figures are thus of the last 5 to 10 minutes.
 */
export class TopKeys implements Disposable {
  readonly #clock: Clock;
  readonly #maxCounters: number;
  readonly #timer: NodeJS.Timeout;
  #current: Generation;
  #previous: Generation | undefined;
  #recorded = 0;
  /** Checks that are not counted yet: endpoint, identifier, and whether it was denied. */
  readonly #endpoints: string[] = [];
  readonly #identifiers: string[] = [];
  readonly #denials: boolean[] = [];

  constructor({
    maxCounters = 1_000,
    generationMs = GENERATION_MS,
    clock = epochMicros,
  }: TopKeysOptions = {}) {
    this.#clock = clock;
    this.#maxCounters = maxCounters;
    this.#current = this.#newGeneration();
    this.#timer = setInterval(() => this.turn(), generationMs).unref();
  }

  /** How many checks were counted: tells whether the figures have changed. */
  get recorded(): number {
    return this.#recorded;
  }

  /** Counts one check of a key. */
  record(endpoint: string, identifier: string, denied: boolean): void {
    this.#recorded += 1;
    this.#endpoints.push(endpoint);
    this.#identifiers.push(identifier);
    if (this.#denials.push(denied) >= COUNT_TOGETHER) this.#count();
  }

  /** Begins a new generation and forgets the one before this. The timer calls it. */
  turn(): void {
    this.#count();
    this.#previous = this.#current;
    this.#current = this.#newGeneration();
    this.#recorded += 1;
  }

  /** Takes some milliseconds where the counters are full. */
  figures(): TopFigures {
    this.#count();
    const generations = this.#previous === undefined ? [this.#current] : [this.#previous, this.#current];
    return {
      sinceMicros: (generations[0] as Generation).sinceMicros,
      denied: mergeSummaries(generations.map(({ denied }) => denied.summary())),
      checked: mergeSummaries(generations.map(({ checked }) => checked.summary())),
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #count(): void {
    const { checked, denied } = this.#current;
    for (let at = 0; at < this.#denials.length; at += 1) {
      const endpoint = this.#endpoints[at] as string;
      const identifier = this.#identifiers[at] as string;
      checked.add(endpoint, identifier);
      if (this.#denials[at]) denied.add(endpoint, identifier);
    }
    this.#endpoints.length = 0;
    this.#identifiers.length = 0;
    this.#denials.length = 0;
  }

  #newGeneration(): Generation {
    const maxCounters = this.#maxCounters;
    return {
      sinceMicros: this.#clock(),
      denied: new SpaceSaving(maxCounters),
      checked: new SpaceSaving(maxCounters),
    };
  }
}
