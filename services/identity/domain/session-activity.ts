import type { Uuid } from './uuid.ts';

/** When a session was used, in milliseconds since 1970. */
export interface SessionUse {
  readonly sessionId: Uuid;
  readonly at: number;
}

export interface SessionActivityOptions {
  /** Writes down uses; none of them where one can't be. */
  readonly write: (uses: readonly SessionUse[]) => Promise<void>;
  /** Told where they could not be written. They are kept and written the next time. */
  readonly onFailure: (error: unknown) => void;
  /** Default: 10,000 ms. */
  readonly intervalMs?: number;
}

const INTERVAL_MS = 10_000;
/** Sessions in one statement. */
const BATCH = 1_000;
/** Sessions that are remembered between two writes: some 20 MB. Past it, uses of further ones are forgotten. */
const MOST_SESSIONS = 200_000;

/**
 * Knows when sessions were last used and writes it down every ten seconds: a write for each use would cost more than all
 * the rest of an introspection. What a crash loses is made up for by the policy's tolerance.
 */
export class SessionActivity implements AsyncDisposable {
  readonly #options: SessionActivityOptions;
  readonly #timer: NodeJS.Timeout;
  #uses = new Map<Uuid, number>();
  #flushing: Promise<void> | null = null;

  constructor(options: SessionActivityOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), options.intervalMs ?? INTERVAL_MS).unref();
  }

  /** Notes a use. Costs next to nothing. */
  touch(sessionId: Uuid, at: number): void {
    if (this.#uses.size < MOST_SESSIONS || this.#uses.has(sessionId)) this.#uses.set(sessionId, at);
  }

  /** Writes down what was noted. Never rejects. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    const uses = [...this.#uses].map(([sessionId, at]) => ({ sessionId, at }));
    this.#uses = new Map();
    for (let from = 0; from < uses.length; from += BATCH) {
      try {
        await this.#options.write(uses.slice(from, from + BATCH));
      } catch (error) {
        this.#keep(uses.slice(from));
        this.#options.onFailure(error);
        return;
      }
    }
  }

  #keep(uses: readonly SessionUse[]): void {
    for (const { sessionId, at } of uses) {
      if (!this.#uses.has(sessionId)) this.touch(sessionId, at);
    }
  }

  /** Writes down what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#flushing;
    await this.flush();
  }
}
