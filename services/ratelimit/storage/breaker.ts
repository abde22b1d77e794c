/** `CLOSED`: the store counts. `OPEN`: it is away, and the rules' fail policies answer. */
export type BreakerState = 'CLOSED' | 'OPEN';

export interface BreakerOptions {
  /** A sign of life, quickly. */
  readonly ping: () => Promise<unknown>;
  /** Whether the store can be worked with, by a real write. */
  readonly prepare: () => Promise<unknown>;
  /** What has to be done before the breaker closes. While it goes on the breaker is open. */
  readonly recover: () => Promise<unknown>;
  /** Called as the last thing before it closes, in the same turn. */
  readonly onClosing: (epoch: number) => void;
  readonly onChange: (state: BreakerState, reason: string) => void;
}

/**
 * Knows whether a store is there. The first failure opens it, and a probe closes it again. It starts open.
 *
 * Every time it closes a new epoch begins: a failure of something that was sent in an earlier one tells nothing about
 * the store since.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = 'OPEN';
  #reason = 'not probed yet';
  #epoch = 0;
  #probing: Promise<BreakerState> | undefined;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Why it is in its state; for health and logs. */
  get reason(): string {
    return this.#reason;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Opens it, on a failure of what was sent in `epoch`. */
  fail(epoch: number, reason: string): void {
    if (epoch === this.#epoch) this.#become('OPEN', reason);
  }

  /** Finds out the state now; one probe at a time. Never rejects. */
  probe(): Promise<BreakerState> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  async #probe(): Promise<BreakerState> {
    if (this.#state === 'CLOSED') {
      try {
        await this.#options.ping();
        return this.#state;
      } catch {
        // What the ping went through may be all that broke; the write decides.
      }
    }
    try {
      await this.#options.prepare();
      if (this.#state === 'OPEN') {
        await this.#options.recover();
        this.#epoch += 1;
        this.#options.onClosing(this.#epoch);
        this.#become('CLOSED', 'Redis counts');
      }
    } catch (error) {
      this.#become('OPEN', error instanceof Error ? error.message : String(error));
    }
    return this.#state;
  }

  #become(state: BreakerState, reason: string): void {
    this.#reason = reason;
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onChange(state, reason);
  }
}
