import { Code, ConnectError } from '@connectrpc/connect';
import type {
  CheckLimitRequest,
  CheckLimitResponse,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { checkBytes } from './check-message.ts';
import { CheckStream, type CheckStreamOptions } from './check-stream.ts';
import { OpenCheck } from './open-check.ts';
import { wayFailure } from './service-circuit.ts';
import { Silence } from './silence.ts';
import { isUnreachable } from './unreachable-policy.ts';

/** As many checks as the service takes in a message. */
const MAX_CHECKS = 1_000;
/**
 * Where the checks of a message take so much, in bytes, no further one is added: the service takes 1 MiB by default.
 */
const MESSAGE_BYTES = 262_144;

export interface CheckLaneOptions {
  readonly open: CheckStreamOptions['open'];
  /** A service that has been silent for so long while answers were due has failed. Milliseconds. */
  readonly silentMs: number;
  /** A stream without checks is closed after so long. Milliseconds. */
  readonly idleMs: number;
  /** Told of answers. */
  readonly onAnswers: () => void;
  /**
   * Told of a stream that could not be opened, was refused or went silent; its checks, and those that wait, have
   * failed.
   */
  readonly onFailure: (failure: ConnectError, silent: boolean) => void;
}

/**
 * Asks checks over one stream, which is opened with the first of them and again once it was lost or closed. Those of
 * one turn of the event loop share a message.
 *
 * Nothing is asked twice: a check that was sent on a stream that was lost fails with UNAVAILABLE, since the service
 * may have counted it. One that was not sent yet goes out on the next stream, where the lost one had been answering.
 */
export class CheckLane implements Disposable {
  readonly #options: CheckLaneOptions;
  #waiting: OpenCheck[] = [];
  #unsettled = 0;
  #flushing = false;
  #stream: CheckStream | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #silence = new Silence();
  readonly #onSettled = () => {
    this.#unsettled -= 1;
  };
  readonly #onTimeout = () => {
    if (this.#silence.lasts(this.#options.silentMs)) this.#silent();
  };

  constructor(options: CheckLaneOptions) {
    this.#options = options;
  }

  /** @throws ConnectError of the service, of the way to it, of the time-out or of the signal */
  ask(
    message: CheckLimitRequest,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<CheckLimitResponse> {
    const check = new OpenCheck(message, {
      ...{ timeoutMs, signal },
      ...{ onSettled: this.#onSettled, onTimeout: this.#onTimeout },
    });
    this.#unsettled += 1;
    this.#waiting.push(check);
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    }
    return check.answer;
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#waiting.length === 0) return;
    if (this.#stream === undefined) this.#open();
    else this.#stream.wake();
  }

  #open(): void {
    this.#stream = new CheckStream({
      open: this.#options.open,
      take: () => this.#take(),
      onAnswers: () => {
        this.#silence.heard(this.#unsettled > 0);
        this.#options.onAnswers();
      },
      onEnd: (stream, error) => this.#ended(stream, error),
    });
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#close(), this.#options.idleMs).unref();
  }

  #take(): readonly OpenCheck[] {
    const checks: OpenCheck[] = [];
    let bytes = 0;
    let taken = 0;
    while (taken < this.#waiting.length && checks.length < MAX_CHECKS && bytes < MESSAGE_BYTES) {
      const check = this.#waiting[taken++] as OpenCheck;
      if (check.settled) continue;
      bytes += checkBytes(check.message);
      checks.push(check);
    }
    this.#waiting.splice(0, taken);
    if (checks.length > 0) {
      this.#silence.asked();
      this.#idleTimer?.refresh();
    }
    return checks;
  }

  #close(): void {
    clearTimeout(this.#idleTimer);
    this.#stream?.end();
    this.#stream = undefined;
  }

  #ended(stream: CheckStream, error: unknown): void {
    const failure = error === undefined ? endedByService() : wayFailure(error);
    stream.fail(failure);
    // One that was closed here, or given up, has been replaced or will be.
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    clearTimeout(this.#idleTimer);
    this.#silence = new Silence();
    if (stream.answered && isUnreachable(failure)) this.#flush();
    else this.#fail(failure, false);
  }

  #silent(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    clearTimeout(this.#idleTimer);
    const message = `the rate limiter has been silent for ${this.#options.silentMs} ms`;
    const failure = new ConnectError(message, Code.Unavailable);
    stream?.cancel();
    stream?.fail(failure);
    this.#silence = new Silence();
    this.#fail(failure, true);
  }

  #fail(failure: ConnectError, silent: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const check of waiting) check.reject(failure);
    this.#options.onFailure(failure, silent);
  }

  /** Checks under way are still answered. */
  [Symbol.dispose](): void {
    this.#flush();
    this.#close();
  }
}

function endedByService(): ConnectError {
  return new ConnectError('the rate limiter ended the stream of checks', Code.Unavailable);
}
