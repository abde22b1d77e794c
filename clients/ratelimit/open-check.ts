import { Code, ConnectError } from '@connectrpc/connect';
import type {
  CheckLimitRequest,
  CheckLimitResponse,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { canceled } from '../grpc/call-error.ts';

export interface OpenCheckOptions {
  /** Milliseconds, more than 0. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Told of the first outcome. */
  readonly onSettled: () => void;
  /** Told after its time has run out. */
  readonly onTimeout: () => void;
}

/**
 * A check that waits for its answer. The first outcome counts: an answer, a failure, the end of its time, or its
 * signal. Keeps the process alive until then.
 */
export class OpenCheck {
  readonly message: CheckLimitRequest;
  /** By performance.now(): when it was asked, and when it was sent last. */
  readonly askedAt = performance.now();
  sentAt = Number.NaN;
  readonly #outcome = Promise.withResolvers<CheckLimitResponse>();
  readonly #options: OpenCheckOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #abort: (() => void) | undefined;
  #settled = false;

  constructor(message: CheckLimitRequest, options: OpenCheckOptions) {
    this.message = message;
    this.#options = options;
    const { signal, timeoutMs } = options;
    this.#timer = setTimeout(expireSoon, timeoutMs, this);
    if (signal !== undefined) {
      this.#abort = () => this.reject(canceled(signal));
      signal.addEventListener('abort', this.#abort);
    }
  }

  /** @throws ConnectError */
  get answer(): Promise<CheckLimitResponse> {
    return this.#outcome.promise;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Whether more than a third of its time is over. */
  get late(): boolean {
    return performance.now() - this.askedAt > this.#options.timeoutMs / 3;
  }

  resolve(decision: CheckLimitResponse): void {
    if (this.#settle()) this.#outcome.resolve(decision);
  }

  reject(error: ConnectError): void {
    if (this.#settle()) this.#outcome.reject(error);
  }

  /** The end of its time. */
  expire(): void {
    if (this.#settled) return;
    this.reject(timedOut(this.#options.timeoutMs));
    this.#options.onTimeout();
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    if (this.#abort !== undefined) this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#options.onSettled();
    return true;
  }
}

/**
 * An answer that waits in the socket behind other work of this process is still in time: immediates run after
 * reading.
 */
function expireSoon(check: OpenCheck): void {
  setImmediate(() => check.expire());
}

function timedOut(timeoutMs: number): ConnectError {
  return new ConnectError(`the rate limiter did not answer within ${timeoutMs} ms`, Code.DeadlineExceeded);
}
