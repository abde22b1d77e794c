import type { KeyRotation } from './key-rotation.ts';

export interface KeyRotationTimerOptions {
  readonly rotation: Pick<KeyRotation, 'maintain'>;
  /** Time between two looks, in milliseconds. Replicas notice within it what others changed. Default: 30,000. */
  readonly intervalMs?: number;
  /** Told of each look that failed; the next one comes all the same. */
  readonly onError: (error: unknown) => void;
}

/** Has the signing keys looked after from time to time, the first time at once. Disposing it waits for a look that runs. */
export class KeyRotationTimer implements AsyncDisposable {
  readonly #options: KeyRotationTimerOptions;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void>;
  #disposed = false;

  constructor(options: KeyRotationTimerOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? 30_000;
    this.#running = this.#look();
  }

  async #look(): Promise<void> {
    try {
      await this.#options.rotation.maintain();
    } catch (error) {
      this.#options.onError(error);
    }
    if (this.#disposed) return;
    // Up to a tenth sooner, so that replicas that were started together do not stay in step.
    const waitMs = this.#intervalMs * (1 - Math.random() / 10);
    this.#timer = setTimeout(() => {
      this.#running = this.#look();
    }, waitMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}
