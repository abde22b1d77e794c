import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { pause } from '../timers.ts';
import { CollectorFailure } from './otlp-sender.ts';

/** Spans that wait to be sent: some 10 MB. */
export const MAX_WAITING = 8192;
/** Spans of one request. */
const BATCH = 512;
/** How long a span may wait for others before it is sent, in milliseconds. */
const DELAY_MS = 500;
/** The first and the longest wait after failures, each of which doubles the one before, in milliseconds. */
const MIN_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;
/** How long the end may take, in milliseconds. */
const FLUSH_MS = 2000;

/** Where spans go and who is told of those that don't. */
export interface SpanQueueOptions {
  /** Sends spans; answers how many were refused, or throws CollectorFailure. */
  readonly send: (spans: readonly ReadableSpan[], signal: AbortSignal) => Promise<number>;
  readonly onFailure: (failure: CollectorFailure) => void;
  /** Whether a span is to be sent at all; one that is not is not counted as dropped. Default: all are. */
  readonly keeps?: (span: ReadableSpan) => boolean;
  readonly onDropped: (spans: number) => void;
}

/**
 * Keeps ended spans until they are sent, a batch at a time. Whoever ends a span waits for nothing. While the collector is
 * away it keeps the latest ones and drops the oldest.
 */
export class SpanQueue implements SpanProcessor {
  readonly #options: SpanQueueOptions;
  readonly #stop = new AbortController();
  readonly #cutOff = new AbortController();
  readonly #sending: Promise<void>;
  #waiting: ReadableSpan[] = [];
  /** Ends the wait for a batch to fill. */
  #full = new AbortController();

  constructor(options: SpanQueueOptions) {
    this.#options = options;
    this.#sending = this.#sendUntilStopped();
  }

  onStart(): void {
    // Only what has ended is sent.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#options.keeps?.(span) === false) return;
    if (this.#stop.signal.aborted) {
      this.#options.onDropped(1);
      return;
    }
    if (this.#waiting.length >= MAX_WAITING) {
      // A batch and not one: taking from an array's front costs as much for many.
      this.#options.onDropped(this.#waiting.splice(0, BATCH).length);
    }
    this.#waiting.push(span);
    if (this.#waiting.length === BATCH) this.#full.abort();
  }

  /** Sends what is waiting, without a second attempt. */
  async forceFlush(): Promise<void> {
    while (this.#waiting.length > 0 && (await this.#sendBatch()));
  }

  /** Sends what is waiting, for two seconds at most; what is left then is dropped. */
  async shutdown(): Promise<void> {
    this.#stop.abort();
    this.#full.abort();
    const timer = setTimeout(() => this.#cutOff.abort(), FLUSH_MS);
    await this.#sending;
    await this.forceFlush();
    clearTimeout(timer);
    const left = this.#waiting.splice(0).length;
    if (left > 0) this.#options.onDropped(left);
  }

  async #sendUntilStopped(): Promise<void> {
    const { signal } = this.#stop;
    let backoffMs = 0;
    while (!signal.aborted) {
      if (backoffMs > 0) await pause(backoffMs, signal);
      else if (this.#waiting.length < BATCH) await this.#fill();
      if (signal.aborted) return;
      const sent = this.#waiting.length === 0 || (await this.#sendBatch());
      backoffMs = sent ? 0 : Math.min(Math.max(MIN_BACKOFF_MS, backoffMs * 2), MAX_BACKOFF_MS);
    }
  }

  async #fill(): Promise<void> {
    this.#full = new AbortController();
    await pause(DELAY_MS, this.#full.signal);
  }

  /** @returns whether to go on */
  async #sendBatch(): Promise<boolean> {
    const batch = this.#waiting.splice(0, BATCH);
    const { send, onFailure, onDropped } = this.#options;
    try {
      const refused = await send(batch, this.#cutOff.signal);
      if (refused > 0) onDropped(refused);
      return true;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.retryable && this.#waiting.length + batch.length <= MAX_WAITING) {
        this.#waiting = [...batch, ...this.#waiting];
      } else {
        onDropped(batch.length);
      }
      onFailure(failure);
      return !failure.retryable;
    }
  }
}

/** Nothing about spans may end the process. */
function failureOf(error: unknown): CollectorFailure {
  if (error instanceof CollectorFailure) return error;
  return new CollectorFailure('spans can not be encoded', false, { cause: error });
}
