import { pause } from '../../../../runtime/timers.ts';
import type { MaintenanceStore } from './maintenance-store.ts';

export interface LeaseTiming {
  /** How long a lease holds, in milliseconds. Default: 25,000. */
  readonly leaseMs?: number;
  /** Time between two renewals, in milliseconds. Default: 8,000. */
  readonly renewMs?: number;
  /** Time between two looks whether the lease is free, in milliseconds. Default: 2,000. */
  readonly lookMs?: number;
}

export interface LeaseOptions extends LeaseTiming {
  readonly store: Pick<MaintenanceStore, 'lead' | 'resign'>;
  readonly holder: string;
  /** Told when the database can't be asked: once, until it can again. */
  readonly onError: (error: unknown) => void;
}

/** What of a lease is left when its holder has to have stopped, for the statement that runs to end. */
const MARGIN = 1 / 5;

/**
 * Keeps the lease by which one replica at a time does the maintenance. Where the holder dies, another one has it within
 * `leaseMs` and `lookMs`: 27 seconds. Disposing it gives the lease up.
 */
export class Lease implements AsyncDisposable {
  readonly #options: LeaseOptions & Required<LeaseTiming>;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #held: AbortController | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #isFailing = false;

  constructor(options: LeaseOptions) {
    this.#options = { leaseMs: 25_000, renewMs: 8_000, lookMs: 2_000, ...options };
    this.#loop = this.#run();
  }

  /** Aborted when the lease ends; undefined where this replica does not hold it. */
  get signal(): AbortSignal | undefined {
    return this.#held?.signal;
  }

  async #run(): Promise<void> {
    const { renewMs, lookMs } = this.#options;
    while (!this.#stop.signal.aborted) {
      await this.#ask();
      await pause(this.#held === undefined ? lookMs : renewMs, this.#stop.signal);
    }
  }

  async #ask(): Promise<void> {
    const { store, holder, leaseMs, onError } = this.#options;
    // By the clock of this process, from before the question: the lease ends here no later than in the database.
    const askedAt = performance.now();
    try {
      if (await store.lead(holder, leaseMs)) this.#hold(askedAt + leaseMs * (1 - MARGIN));
      else this.#lose();
      this.#isFailing = false;
    } catch (error) {
      // The lease that was had goes on to its end.
      if (!this.#isFailing) onError(error);
      this.#isFailing = true;
    }
  }

  #hold(until: number): void {
    clearTimeout(this.#expiry);
    const leftMs = until - performance.now();
    if (leftMs <= 0) {
      this.#lose();
      return;
    }
    this.#held ??= new AbortController();
    this.#expiry = setTimeout(() => this.#lose(), leftMs).unref();
  }

  #lose(): void {
    clearTimeout(this.#expiry);
    this.#held?.abort();
    this.#held = undefined;
  }

  /** Has what runs under the lease stop. The lease itself is given up by the disposal, once that has stopped. */
  stop(): void {
    this.#stop.abort();
    this.#lose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#loop;
    // An answer that came after the stop may have held it again.
    this.#lose();
    const { store, holder } = this.#options;
    // It ends by itself where this fails.
    await store.resign(holder).catch(this.#options.onError);
  }
}
