import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import type { TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import type { RevocationList } from './revocation-list.ts';

/** Whether all revocations are known, up to a moment ago. */
export type RevocationsState =
  | { readonly fresh: true }
  /** `since`: when the stream was heard last, or the watch began. `error`: why it broke off, where it did. */
  | { readonly fresh: false; readonly since: Date; readonly error: unknown };

export interface RevocationWatchOptions {
  readonly client: Pick<Client<typeof TokenService>, 'watchRevocations'>;
  readonly list: RevocationList;
  /** What is known counts as fresh for so long after a message, in milliseconds. */
  readonly staleAfterMs: number;
  readonly onStateChange: (state: RevocationsState) => void;
}

const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 2000;

/**
 * Keeps the list of revocations up to date by identity's stream: a snapshot first, then what is new, resumed by the
 * cursor whenever the stream breaks off. A stream that has gone silent, as that of a machine that vanished, is given up.
 */
export class RevocationWatch implements Disposable {
  readonly #options: RevocationWatchOptions;
  readonly #stop = new AbortController();
  #cursor = '';
  #lastHeard = new Date();
  #lastError: unknown;
  /** Until when what is known counts as fresh (performance.now()). */
  #freshUntil = Number.NEGATIVE_INFINITY;
  #wasFresh = false;
  #staleTimer: NodeJS.Timeout | undefined;

  constructor(options: RevocationWatchOptions) {
    this.#options = options;
    void this.#run();
  }

  get state(): RevocationsState {
    return performance.now() < this.#freshUntil
      ? { fresh: true }
      : { fresh: false, since: this.#lastHeard, error: this.#lastError };
  }

  async #run(): Promise<void> {
    let retryMs = MIN_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      const before = this.#cursor;
      try {
        await this.#follow();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#lastError = error;
        // A cursor that identity can't read: start over with a snapshot.
        if (ConnectError.from(error).code === Code.InvalidArgument) this.#cursor = '';
      }
      retryMs = this.#cursor === before ? Math.min(retryMs * 2, MAX_RETRY_MS) : MIN_RETRY_MS;
      // Somewhere in the second half, so that the watchers of a server that ended don't come back all at once.
      await sleep(retryMs * (1 - Math.random() / 2), undefined, { ref: false });
    }
  }

  /** Reads one stream to its end. */
  async #follow(): Promise<void> {
    const { client, list, staleAfterMs } = this.#options;
    const silence = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, silence.signal]);
    const silent = () => silence.abort(new Error('the stream of revocations went silent'));
    const watchdog = setTimeout(silent, Math.max(2 * staleAfterMs, 5000)).unref();
    let caughtUp = false;
    try {
      for await (const message of client.watchRevocations({ cursor: this.#cursor }, { signal })) {
        watchdog.refresh();
        list.add(message.revocations);
        this.#cursor = message.cursor;
        caughtUp ||= message.caughtUp;
        // Before that, revocations that were made meanwhile may be still to come.
        if (caughtUp) this.#heard();
      }
      throw new ConnectError('identity ended the stream of revocations', Code.Unavailable);
    } finally {
      clearTimeout(watchdog);
      silence.abort();
    }
  }

  #heard(): void {
    const { staleAfterMs, onStateChange } = this.#options;
    if (this.#stop.signal.aborted) return;
    this.#lastHeard = new Date();
    this.#freshUntil = performance.now() + staleAfterMs;
    this.#staleTimer ??= setTimeout(() => this.#checkStale(), staleAfterMs).unref();
    this.#staleTimer.refresh();
    if (this.#wasFresh) return;
    this.#wasFresh = true;
    this.#lastError = undefined;
    onStateChange(this.state);
  }

  #checkStale(): void {
    const left = this.#freshUntil - performance.now();
    if (left > 0) {
      // Timers of Node may come up to a millisecond early.
      this.#staleTimer = setTimeout(() => this.#checkStale(), left + 1).unref();
      return;
    }
    this.#staleTimer = undefined;
    this.#wasFresh = false;
    this.#options.onStateChange(this.state);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    clearTimeout(this.#staleTimer);
    this.#freshUntil = Number.NEGATIVE_INFINITY;
  }
}
