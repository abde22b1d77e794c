import { setTimeout as sleep } from 'node:timers/promises';
import { pause } from '../../../../runtime/timers.ts';
import type { ChainHead } from './chain.ts';

interface Waiter {
  readonly sequence: bigint;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Time between two reads of the chain's end, in milliseconds. */
const POLL_MS = 250;
/**
 * Time between two who are told, in milliseconds, as each of them reads then: a log that grows all the time has 200 reads a
 * second at most, however many follow it, and leaves connections to those who sign in.
 */
const SPREAD_MS = 5;

/** Reads the end of the chain for all who wait for it to move: once for the process, and only while somebody waits. */
export class ChainHeadPoll {
  readonly #read: () => Promise<ChainHead>;
  readonly #waiting = new Set<Waiter>();
  #isRunning = false;
  #woken = new AbortController();

  constructor(read: () => Promise<ChainHead>) {
    this.#read = read;
  }

  /** Reads at once: the chain has grown. */
  wake(): void {
    this.#woken.abort();
  }

  /**
   * Until the chain ends elsewhere than at `sequence`, but for `ms` milliseconds at most.
   *
   * @throws DatabaseUnavailable, and the signal's reason
   */
  async moved(sequence: bigint, ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { sequence, resolve, reject };
    const timer = setTimeout(resolve, ms);
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
    this.#waiting.add(waiter);
    if (!this.#isRunning) void this.#run();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      this.#waiting.delete(waiter);
    }
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.size > 0) {
      await pause(POLL_MS, this.#woken.signal);
      this.#woken = new AbortController();
      if (this.#waiting.size === 0) break;
      await this.#tell();
    }
    this.#isRunning = false;
  }

  async #tell(): Promise<void> {
    // Who comes while it reads has read the chain later, and may know more than it.
    const asked = [...this.#waiting];
    try {
      const head = await this.#read();
      for (const waiter of asked) {
        if (waiter.sequence === head.sequence || !this.#waiting.has(waiter)) continue;
        waiter.resolve();
        await sleep(SPREAD_MS);
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
