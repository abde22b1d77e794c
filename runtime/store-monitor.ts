import { setTimeout as sleep } from 'node:timers/promises';

/** A probe's failure whose text may be shown to anybody who asks for health. */
export class ProbeFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProbeFailure';
  }
}

/** What is known of a store at this moment. */
export interface StoreStatus {
  readonly up: boolean;
  /** Duration of the last successful probe, in milliseconds; undefined before the first. */
  readonly latencyMs: number | undefined;
  /** Why the last probe failed, for the log; undefined while the store is up. */
  readonly error: string | undefined;
  /** The same without anything internal (hosts, users), for everybody. */
  readonly shownError: string | undefined;
}

/** How a store is watched. */
export interface StoreMonitorOptions {
  /** Component name in health answers: `database` or `redis`. */
  readonly name: string;
  /** Asks the store for a sign of life; rejects where there is none. Aborted when it takes too long. */
  readonly probe: (signal: AbortSignal) => Promise<unknown>;
  /** Pause between probes while the store is up, in milliseconds. */
  readonly intervalMs?: number;
  /** A probe that takes longer has failed, in milliseconds. */
  readonly timeoutMs?: number;
  /** Longest pause between probes while the store is away, in milliseconds; the pause doubles up to it. */
  readonly maxBackoffMs?: number;
  /** More facts for the HTTP health answer, for example pool figures. */
  readonly facts?: () => Readonly<Record<string, unknown>>;
  readonly onChange?: (status: StoreStatus) => void;
}

/**
 * Watches one store by probing it, so that its loss and return are known within two seconds even when nobody calls.
 * Retries with backoff for as long as the store is away.
 */
export class StoreMonitor implements AsyncDisposable {
  readonly name: string;
  readonly #options: StoreMonitorOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  readonly #listeners = new Set<() => void>();
  #status: StoreStatus = {
    up: false,
    latencyMs: undefined,
    error: 'not reached yet',
    shownError: 'not reached yet',
  };

  constructor(options: StoreMonitorOptions) {
    this.name = options.name;
    this.#options = options;
    this.#loop = this.#run();
  }

  get status(): StoreStatus {
    return this.#status;
  }

  facts(): Readonly<Record<string, unknown>> {
    return this.#options.facts?.() ?? {};
  }

  /** Calls `listener` after each change between up and away. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Waits until the store is up, `withinMs` at most. */
  async untilUp(withinMs: number): Promise<void> {
    if (this.#status.up) return;
    const up = new Promise<void>((resolve) => this.onChange(resolve));
    await Promise.race([up, sleep(withinMs, undefined, { ref: false })]);
  }

  async #run(): Promise<void> {
    const { intervalMs = 500, maxBackoffMs = 1000 } = this.#options;
    let backoffMs = 50;
    while (!this.#stop.signal.aborted) {
      const wasUp = this.#status.up;
      this.#status = await this.#probe();
      if (this.#stop.signal.aborted) return;
      if (this.#status.up !== wasUp) {
        this.#options.onChange?.(this.#status);
        for (const listener of this.#listeners) listener();
      }
      backoffMs = this.#status.up ? 50 : Math.min(backoffMs * 2, maxBackoffMs);
      const pause = this.#status.up ? intervalMs : backoffMs;
      await sleep(pause, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #probe(): Promise<StoreStatus> {
    const timeoutMs = this.#options.timeoutMs ?? 1000;
    const started = performance.now();
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      await Promise.race([this.#options.probe(signal), rejectOnAbort(signal, timeoutMs)]);
      const latencyMs = performance.now() - started;
      return { up: true, latencyMs, error: undefined, shownError: undefined };
    } catch (error) {
      const text = error instanceof Error ? error.message || error.name : String(error);
      return { up: false, latencyMs: this.#status.latencyMs, error: text, shownError: shown(error) };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }
}

async function rejectOnAbort(signal: AbortSignal, timeoutMs: number): Promise<never> {
  return await new Promise((_, reject) => {
    const fail = () => reject(new ProbeFailure(`no answer within ${timeoutMs} ms`));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

/** Error codes such as ECONNREFUSED say what an operator needs first, and nothing of the network behind. */
function shown(error: unknown): string {
  if (error instanceof ProbeFailure) return error.message;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : 'failed';
}
