import { InvalidFile } from './invalid-file.ts';
import { pause } from './timers.ts';

export interface FileWatchOptions<S> {
  /** The state that is in force. */
  readonly current: S;
  /** Reads the files. @throws InvalidFile where that can't be done */
  readonly load: () => Promise<S>;
  /** The same for the same content. */
  readonly digestOf: (state: S) => string;
  /**
   * Puts a new state in force, unless the signal was aborted.
   *
   * @param afterRefusal whether the one before it was refused
   * @throws InvalidFile where it can't be used
   */
  readonly take: (state: S, signal: AbortSignal, afterRefusal: boolean) => Promise<void> | void;
  /** Says that what was read can't be used. */
  readonly refuse: (problems: readonly string[]) => void;
  /** How long to wait between two looks at the files, in ms. */
  readonly everyMs: number;
}

/** How many times as long as a look took to wait at least: many files don't keep a core busy. */
const PACE = 20;

/**
 * Watches files. By reading them: what tells of changes misses some where a file is replaced by rename or, as in Kubernetes,
 * through a link to a directory; and what is compared here is all that counts.
 *
 * A new state is taken once it was read twice in a row, so that a file is not taken while it is being written. One that
 * can't be used is refused whole and once; what is in force stays.
 */
export class FileWatch<S> implements AsyncDisposable {
  readonly #options: FileWatchOptions<S>;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  /** Digests of what was dealt with, and of what was seen last. */
  #settled: string;
  #seen: string;
  #refused = false;

  constructor(options: FileWatchOptions<S>) {
    this.#options = options;
    this.#settled = stateKey(options.digestOf(options.current));
    this.#seen = this.#settled;
    this.#loop = this.#watch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    let tookMs = 0;
    for (;;) {
      await pause(Math.max(this.#options.everyMs, PACE * tookMs), signal);
      if (signal.aborted) return;
      const started = performance.now();
      const now = await this.#load();
      tookMs = performance.now() - started;
      await this.#look(now);
    }
  }

  async #load(): Promise<{ readonly state: S } | InvalidFile> {
    try {
      return { state: await this.#options.load() };
    } catch (error) {
      if (error instanceof InvalidFile) return error;
      throw error;
    }
  }

  async #look(now: { readonly state: S } | InvalidFile): Promise<void> {
    const { digestOf, take } = this.#options;
    const key = now instanceof InvalidFile ? problemsKey(now) : stateKey(digestOf(now.state));
    const before = this.#seen;
    this.#seen = key;
    if (key !== before || key === this.#settled || this.#stop.signal.aborted) return;
    this.#settled = key;
    try {
      if (now instanceof InvalidFile) throw now;
      await take(now.state, this.#stop.signal, this.#refused);
      this.#refused = false;
    } catch (error) {
      if (!(error instanceof InvalidFile)) throw error;
      if (this.#stop.signal.aborted) return;
      this.#refused = true;
      this.#options.refuse(error.problems);
    }
  }
}

function stateKey(digest: string): string {
  return `state ${digest}`;
}

function problemsKey({ problems }: InvalidFile): string {
  return `problems ${JSON.stringify(problems)}`;
}
