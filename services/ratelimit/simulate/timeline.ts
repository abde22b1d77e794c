/** What became of the requests of one piece of time. */
export interface TimelineBucket {
  /** µs since the epoch: a multiple of the width. */
  readonly startMicros: number;
  allowed: number;
  denied: number;
  /** Of those allowed. */
  shadowDenied: number;
}

/** Widths in seconds that people can read; each is a multiple of the one before. */
const WIDTHS = [1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800];
/** As many bars as a plot can show. */
const MAX_BUCKETS = 500;

/**
 * Counts by time in a bounded number of buckets: once there are too many they are put together, several to one. Which
 * width they end with depends on the whole span alone.
 */
export class Timeline {
  #width = 0;
  #widthMicros = 1_000_000;
  #buckets = new Map<number, TimelineBucket>();
  #firstMicros = Number.POSITIVE_INFINITY;
  #lastMicros = Number.NEGATIVE_INFINITY;

  get widthSeconds(): number {
    return this.#widthMicros / 1_000_000;
  }

  /** Those with requests, by time. */
  get buckets(): readonly TimelineBucket[] {
    return [...this.#buckets.values()].sort((a, b) => a.startMicros - b.startMicros);
  }

  add(timeMicros: number, outcome: 'allowed' | 'denied', shadowDenied: boolean): void {
    this.#firstMicros = Math.min(this.#firstMicros, timeMicros);
    this.#lastMicros = Math.max(this.#lastMicros, timeMicros);
    while (this.#count() > MAX_BUCKETS) this.#widen();
    const bucket = this.#bucketAt(timeMicros);
    bucket[outcome] += 1;
    if (shadowDenied) bucket.shadowDenied += 1;
  }

  /** How many buckets there are from the first to the last, with the empty ones. */
  #count(): number {
    const [first, last] = [this.#firstMicros, this.#lastMicros];
    return Math.floor(last / this.#widthMicros) - Math.floor(first / this.#widthMicros) + 1;
  }

  #widen(): void {
    this.#width += 1;
    const next = WIDTHS[this.#width];
    this.#widthMicros = next === undefined ? this.#widthMicros * 2 : next * 1_000_000;
    const before = this.#buckets;
    this.#buckets = new Map();
    for (const { startMicros, allowed, denied, shadowDenied } of before.values()) {
      const bucket = this.#bucketAt(startMicros);
      bucket.allowed += allowed;
      bucket.denied += denied;
      bucket.shadowDenied += shadowDenied;
    }
  }

  #bucketAt(timeMicros: number): TimelineBucket {
    const startMicros = timeMicros - (timeMicros % this.#widthMicros);
    let bucket = this.#buckets.get(startMicros);
    if (bucket === undefined) {
      bucket = { startMicros, allowed: 0, denied: 0, shadowDenied: 0 };
      this.#buckets.set(startMicros, bucket);
    }
    return bucket;
  }
}
