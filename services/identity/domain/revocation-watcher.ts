import type { Revocation } from './revocation.ts';

/** Why a watcher was let down. */
export type WatcherFailure = 'too_slow' | 'interrupted';

/** Revocations that wait for a watcher: some 5 MB at most. */
const MOST_WAITING = 10_000;
/** A sign of life is due when nothing was sent for this long; reads of the log come every 250 ms. */
const SILENCE_MS = 600;

/** One who is told of revocations, with those that wait to be fetched. */
export class RevocationWatcher {
  #waiting: Revocation[] = [];
  /** When the log was last read, in milliseconds since 1970; 0 where nothing is new since the last fetch. */
  #readAt = 0;
  #fetchedAt = performance.now();
  #failure: WatcherFailure | null = null;
  #wake: (() => void) | undefined;

  get failure(): WatcherFailure | null {
    return this.#failure;
  }

  /** Tells of what a read gave, maybe nothing. */
  push(revocations: readonly Revocation[], readAt: number): void {
    if (this.#waiting.length + revocations.length > MOST_WAITING) this.fail('too_slow');
    if (this.#failure !== null) return;
    this.#waiting.push(...revocations);
    this.#readAt = readAt;
    if (revocations.length > 0 || performance.now() - this.#fetchedAt >= SILENCE_MS) this.#rouse();
  }

  /** Lets it down: there are revocations that it was not told of. */
  fail(failure: WatcherFailure): void {
    this.#failure ??= failure;
    this.#waiting = [];
    this.#rouse();
  }

  /** Begins anew: whatever is pushed from now on waits. What was too much can be read of the log. */
  restart(): void {
    if (this.#failure === 'too_slow') this.#failure = null;
    this.#waiting = [];
  }

  /**
   * What waits, in order, or nothing as a sign of life; null where it was let down.
   *
   * @throws the signal's reason
   */
  async fetch(
    signal: AbortSignal,
  ): Promise<{ readonly revocations: readonly Revocation[]; readonly readAt: number } | null> {
    signal.throwIfAborted();
    const isDue = this.#readAt > 0 && performance.now() - this.#fetchedAt >= SILENCE_MS;
    if (this.#waiting.length === 0 && this.#failure === null && !isDue) await this.#roused(signal);
    if (this.#failure !== null) return null;
    const fetched = { revocations: this.#waiting, readAt: this.#readAt };
    this.#waiting = [];
    this.#readAt = 0;
    this.#fetchedAt = performance.now();
    return fetched;
  }

  async #roused(signal: AbortSignal): Promise<void> {
    const rouse = () => this.#rouse();
    signal.addEventListener('abort', rouse);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    signal.removeEventListener('abort', rouse);
    signal.throwIfAborted();
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
