/**
 * Forgets some rows that are of no use any more, at most `most` of them.
 *
 * @returns how many
 * @throws DatabaseUnavailable
 */
export type Sweep = (most: number) => Promise<number>;

export interface UpkeepOptions {
  readonly sweeps: readonly Sweep[];
  /** Told of each sweep that failed; the next round comes all the same. */
  readonly onError: (error: unknown) => void;
  /** Time between two rounds, in milliseconds. Default: 60,000. */
  readonly intervalMs?: number;
}

/** Rows a statement: locks stay short. */
const BATCH = 1000;
/** Statements of a sweep in a round: what came in a flood is gone within minutes, and nobody is held up meanwhile. */
const MOST_BATCHES = 100;

/** Sweeps once a minute. Disposing it waits for the statement that runs. */
export class Upkeep implements AsyncDisposable {
  readonly #options: UpkeepOptions;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #ended = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#running ??= this.#round().finally(() => {
        this.#running = undefined;
      });
    }, options.intervalMs ?? 60_000).unref();
  }

  async #round(): Promise<void> {
    for (const sweep of this.#options.sweeps) {
      try {
        for (let batch = 0; batch < MOST_BATCHES && !this.#ended; batch += 1) {
          if ((await sweep(BATCH)) < BATCH) break;
        }
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearInterval(this.#timer);
    await this.#running;
  }
}
