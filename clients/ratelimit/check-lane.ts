import { Code, ConnectError } from '@connectrpc/connect';
import type {
  CheckLimitRequest,
  CheckLimitResponse,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { checkBytes } from './check-message.ts';
import { type Answers, CheckStream, type CheckStreamOptions } from './check-stream.ts';
import { CheckWindow } from './check-window.ts';
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

/** A service that has ended so many streams in a row well, but with no answer, does not serve. */
const MOST_BARE_ENDS = 3;

export interface CheckLaneOptions {
  readonly open: CheckStreamOptions['open'];
  /** A service that has been silent for so long while answers were due has failed. Milliseconds. */
  readonly silentMs: number;
  /** A stream is closed after so long, or up to half of it earlier. Milliseconds. */
  readonly maxStreamMs: number;
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
 * A stream stays with the replica that it was opened at. So it is followed by another after a while, at random times,
 * and replicas that were added get their share; what was sent on the former is still answered there.
 *
 * Nothing is counted twice: a check that was sent on a stream that was lost fails with UNAVAILABLE, since the service
 * may have counted it. One that was not sent yet goes out on the next stream, where the lost one had been answering; so
 * does what a stream left that the service ended well, which says that it was not counted.
 *
 * Where the service answers more slowly than it is asked, what waited for more than a third of its time is not sent any
 * more and fails with UNAVAILABLE: its answer would come too late, and the service would have worked in vain. The other
 * two thirds are what the service is given.
 */
export class CheckLane implements Disposable {
  readonly #options: CheckLaneOptions;
  readonly #window: CheckWindow;
  readonly #streams = new Set<CheckStream>();
  #waiting: OpenCheck[] = [];
  #unsettled = 0;
  #flushing = false;
  /** That of the streams on which the next check goes out. */
  #stream: CheckStream | undefined;
  #bareEnds = 0;
  #disposed = false;
  #closeTimer: NodeJS.Timeout | undefined;
  #silence = new Silence();
  readonly #onSettled = () => {
    this.#unsettled -= 1;
  };
  readonly #onTimeout = () => {
    if (this.#silence.lasts(this.#options.silentMs)) this.#silent();
  };

  constructor(options: CheckLaneOptions) {
    this.#options = options;
    this.#window = new CheckWindow((options.silentMs * 2) / 3);
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
    const { open, maxStreamMs } = this.#options;
    this.#stream = new CheckStream({
      open,
      take: (underWay) => this.#take(underWay),
      onAnswers: (answers) => this.#answered(answers),
      onEnd: (stream, error) => this.#ended(stream, error),
    });
    this.#streams.add(this.#stream);
    clearTimeout(this.#closeTimer);
    this.#closeTimer = setTimeout(() => this.#close(), maxStreamMs * (1 - Math.random() / 2)).unref();
  }

  #take(underWay: number): readonly OpenCheck[] {
    const { size, narrowed } = this.#window;
    const room = this.#disposed ? MAX_CHECKS : Math.min(MAX_CHECKS, size - underWay);
    const checks: OpenCheck[] = [];
    let bytes = 0;
    let taken = 0;
    while (taken < this.#waiting.length && checks.length < room && bytes < MESSAGE_BYTES) {
      const check = this.#waiting[taken++] as OpenCheck;
      if (narrowed && check.late) check.reject(overloaded());
      if (check.settled) continue;
      bytes += checkBytes(check.message);
      checks.push(check);
    }
    this.#waiting.splice(0, taken);
    const [first] = checks;
    if (first !== undefined) {
      // Of when it was asked, not sent: its time runs from then, and its end is when silence is looked for.
      this.#silence.asked(first.askedAt);
      const now = performance.now();
      for (const check of checks) check.sentAt = now;
    }
    return checks;
  }

  #answered({ count, sentAt, underWay }: Answers): void {
    this.#bareEnds = 0;
    this.#silence.heard(this.#unsettled > 0);
    this.#window.answered(count, sentAt, underWay);
    this.#options.onAnswers();
    this.#flush();
  }

  #close(): void {
    clearTimeout(this.#closeTimer);
    this.#stream?.end();
    this.#stream = undefined;
  }

  #ended(stream: CheckStream, error: unknown): void {
    this.#streams.delete(stream);
    const failure = error === undefined ? endedByService() : wayFailure(error);
    const isCurrent = stream === this.#stream;
    if (error === undefined) {
      const left = stream.release();
      if (left.length > 0) this.#waiting = [...left, ...this.#waiting];
      if (isCurrent && !stream.answered) this.#bareEnds += 1;
    } else {
      stream.fail(failure);
    }
    if (isCurrent) {
      this.#stream = undefined;
      clearTimeout(this.#closeTimer);
      this.#silence = new Silence();
    }
    const serves = error === undefined ? this.#bareEnds < MOST_BARE_ENDS : stream.answered;
    // One that was closed here, or given up, has been replaced or will be.
    if (!isCurrent || (serves && isUnreachable(failure))) this.#flush();
    else this.#fail(failure, false);
  }

  #silent(): void {
    const message = `the rate limiter has been silent for ${this.#options.silentMs} ms`;
    const failure = new ConnectError(message, Code.Unavailable);
    this.#stream = undefined;
    clearTimeout(this.#closeTimer);
    for (const stream of this.#streams) {
      stream.cancel();
      stream.fail(failure);
    }
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
    this.#disposed = true;
    this.#flush();
    this.#close();
  }
}

function endedByService(): ConnectError {
  return new ConnectError('the rate limiter ended the stream of checks', Code.Unavailable);
}

function overloaded(): ConnectError {
  return new ConnectError('the rate limiter answers more slowly than it is asked', Code.Unavailable);
}
