/** Thrown when the queue is full. Carries what the caller needs to say when to come back. */
export class QueueFull extends Error {
  /** Estimated time until a place is free, in milliseconds, at least 1. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super('the queue is full');
    this.name = 'QueueFull';
    this.retryAfterMs = retryAfterMs;
  }
}

/** Weight of the newest duration in the moving average: ten tasks or so decide. */
const NEWEST_WEIGHT = 0.2;

interface Waiting {
  readonly start: () => void;
}

/**
 * Runs at most `concurrency` tasks at once and lets at most `queueLimit` wait, first come first served. Shedding load at
 * once, with an honest time to come back, keeps latency bounded where an endless queue would serve nobody in time.
 */
export class BoundedQueue {
  readonly #concurrency: number;
  readonly #queueLimit: number;
  readonly #waiting = new Set<Waiting>();
  readonly #onRan: (tookMs: number) => void;
  #running = 0;
  #averageMs: number;

  /** `expectedMs` is the duration assumed before the first task was measured; `onRan` is told of each task that ended. */
  constructor(options: {
    concurrency: number;
    queueLimit: number;
    expectedMs: number;
    onRan?: (tookMs: number) => void;
  }) {
    this.#concurrency = options.concurrency;
    this.#queueLimit = options.queueLimit;
    this.#averageMs = options.expectedMs;
    this.#onRan = options.onRan ?? (() => undefined);
  }

  /** Tasks running and waiting at this moment. */
  get figures(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting.size };
  }

  /**
   * Runs `task` when its turn comes.
   *
   * @throws QueueFull where no place is free; the signal's reason where it is aborted before the task was started.
   *   A task that has started keeps its place until it ends, whatever the signal says: its work goes on.
   */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#running < this.#concurrency) {
      this.#running += 1;
    } else {
      if (this.#waiting.size >= this.#queueLimit) throw new QueueFull(this.#estimateMs());
      // The one who ends hands over its place: `#running` stays as it is.
      await this.#turn(signal);
    }
    const startedAt = performance.now();
    try {
      return await task();
    } finally {
      const tookMs = performance.now() - startedAt;
      this.#averageMs += NEWEST_WEIGHT * (tookMs - this.#averageMs);
      this.#handOver();
      this.#onRan(tookMs);
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abandon = () => {
        this.#waiting.delete(entry);
        reject(signal?.reason);
      };
      const entry: Waiting = {
        start: () => {
          signal?.removeEventListener('abort', abandon);
          resolve();
        },
      };
      this.#waiting.add(entry);
      signal?.addEventListener('abort', abandon, { once: true });
    });
  }

  #handOver(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    next.start();
  }

  /** A full queue has room again as soon as one task ends; the newcomer is served after all that wait before it. */
  #estimateMs(): number {
    return Math.max(1, Math.ceil(((this.#waiting.size + 1) * this.#averageMs) / this.#concurrency));
  }
}
