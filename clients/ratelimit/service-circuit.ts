import { Code, ConnectError } from '@connectrpc/connect';
import type { LimiterState } from './limiter.ts';
import { isUnreachable } from './unreachable-policy.ts';

const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 1000;

/** Codes that say nothing of what was asked: of a connection that broke, of a proxy, of a server that was ended. */
const LOST: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Canceled,
  Code.Internal,
  Code.Unknown,
  Code.Aborted,
  Code.DataLoss,
]);

/**
 * A failure of the way to the service as UNAVAILABLE or DEADLINE_EXCEEDED, with its cause; the service's own refusal
 * (UNAUTHENTICATED, say) as it is.
 */
export function wayFailure(thrown: unknown): ConnectError {
  const error = ConnectError.from(thrown);
  if (isUnreachable(error) || !LOST.has(error.code)) return error;
  const message = `the rate limiter could not be asked: ${error.rawMessage}`;
  return new ConnectError(message, Code.Unavailable, undefined, undefined, error);
}

export interface ServiceCircuitOptions {
  /** Asks the service something that changes nothing. @throws ConnectError, of the way or of the service */
  readonly probe: () => Promise<unknown>;
  /** Told of changes, with what made the service unreachable. */
  readonly onStateChange: (state: LimiterState, error: ConnectError | undefined) => void;
}

/**
 * A circuit breaker with a window of one failure: once the way to the service has failed, checks are answered at once
 * with that failure, until a probe has found the service answering. So an outage costs a time-out once, not with
 * every check.
 *
 * The first probe goes out at once, the next ones after pauses of 100 ms to 1 s that double, each shortened by up to
 * half at random, so that the clients of a service that came back don't come all at once. A service that answers but
 * refuses this caller is reachable; it is held open alike, so that nobody asks again and again what has been refused.
 */
export class ServiceCircuit implements Disposable {
  readonly #options: ServiceCircuitOptions;
  #failure: ConnectError | undefined;
  #failures = 0;
  #state: LimiterState = 'reachable';
  #timer: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(options: ServiceCircuitOptions) {
    this.#options = options;
  }

  get state(): LimiterState {
    return this.#state;
  }

  /** What checks are answered with now; undefined where the service is to be asked. */
  get failure(): ConnectError | undefined {
    return this.#failure;
  }

  /** A check was answered: the next failure is the first of its kind again. */
  answered(): void {
    this.#failures = 0;
  }

  /** The way to the service has failed, or the service refuses this caller. */
  open(failure: ConnectError): void {
    if (this.#failure !== undefined || this.#disposed) return;
    this.#hold(failure);
  }

  #hold(failure: ConnectError): void {
    this.#failure = failure;
    const probeAtOnce = this.#failures === 0 && isUnreachable(failure);
    this.#timer = setTimeout(() => void this.#probe(), probeAtOnce ? 0 : pauseMs(this.#failures)).unref();
    this.#failures += 1;
    this.#enter(isUnreachable(failure) ? 'unreachable' : 'reachable');
  }

  async #probe(): Promise<void> {
    const failure = await this.#options.probe().then(() => undefined, wayFailure);
    if (this.#disposed) return;
    // The probe is nothing that can be allowed: to hear so is to have been heard.
    if (failure !== undefined && failure.code !== Code.InvalidArgument) {
      this.#hold(failure);
    } else {
      this.#failure = undefined;
      this.#enter('reachable');
    }
  }

  #enter(state: LimiterState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onStateChange(state, state === 'unreachable' ? this.#failure : undefined);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
  }
}

function pauseMs(failures: number): number {
  return Math.min(MIN_PAUSE_MS * 2 ** failures, MAX_PAUSE_MS) * (1 - Math.random() / 2);
}
