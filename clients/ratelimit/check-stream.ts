import { Code, ConnectError } from '@connectrpc/connect';
import type {
  StreamCheckLimitsRequest,
  StreamCheckLimitsRequest_Item,
  StreamCheckLimitsResponse,
  StreamCheckLimitsResponse_Item,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { statusError } from '../grpc/status-error.ts';
import type { OpenCheck } from './open-check.ts';

const ALL_IDS = 2 ** 32;

export interface CheckStreamOptions {
  /** Begins the call. */
  readonly open: (
    requests: AsyncIterable<StreamCheckLimitsRequest>,
    signal: AbortSignal,
  ) => AsyncIterable<StreamCheckLimitsResponse>;
  /** Takes the checks of the next message, none where there are none; told how many are under way. */
  readonly take: (underWay: number) => readonly OpenCheck[];
  /** Told after a message of answers. */
  readonly onAnswers: (answers: Answers) => void;
  /** Told of the stream's end, with its error where it has one. Checks may be left without an answer. */
  readonly onEnd: (stream: CheckStream, error: unknown) => void;
  /** How many ids there are before they begin anew, more than there are open checks. Default: 2^32, all of uint32. */
  readonly ids?: number;
}

/** A message of answers. */
export interface Answers {
  readonly count: number;
  /** performance.now() of when the first of their checks was sent. */
  readonly sentAt: number;
  /** How many checks were under way, these included. */
  readonly underWay: number;
}

/**
 * One StreamCheckLimits call that many checks share. Writes as fast as the server takes messages, and no faster: what
 * waits meanwhile goes out together.
 */
export class CheckStream {
  readonly #options: CheckStreamOptions;
  readonly #abort = new AbortController();
  /** Also those that were given up meanwhile: until their answers have come, their ids are taken. */
  readonly #sent = new Map<number, OpenCheck>();
  readonly #ids: number;
  #nextId = 0;
  #ended = false;
  #answered = false;
  #wake: (() => void) | undefined;

  constructor(options: CheckStreamOptions) {
    this.#options = options;
    this.#ids = options.ids ?? ALL_IDS;
    void this.#read();
  }

  /** Whether an answer came on it. */
  get answered(): boolean {
    return this.#answered;
  }

  /** There are checks to be taken. */
  wake(): void {
    this.#wake?.();
  }

  /** Sends what can still be taken, then nothing more; answers go on coming. */
  end(): void {
    this.#ended = true;
    this.wake();
  }

  /** Gives the call up. */
  cancel(): void {
    this.#abort.abort();
  }

  /** Fails the checks that were sent and not answered. */
  fail(error: ConnectError): void {
    for (const check of this.release()) check.reject(error);
  }

  /** Hands over the checks that were sent and not answered. */
  release(): readonly OpenCheck[] {
    const left = [...this.#sent.values()].filter(({ settled }) => !settled);
    this.#sent.clear();
    return left;
  }

  async #read(): Promise<void> {
    let outcome: unknown;
    try {
      for await (const { items } of this.#options.open(this.#messages(), this.#abort.signal)) {
        const underWay = this.#sent.size;
        let sentAt = performance.now();
        for (const item of items) sentAt = Math.min(sentAt, this.#settle(item) ?? sentAt);
        this.#answered = true;
        this.#options.onAnswers({ count: items.length, sentAt, underWay });
      }
    } catch (error) {
      outcome = error;
    }
    this.#ended = true;
    this.wake();
    this.#options.onEnd(this, outcome);
  }

  async *#messages(): AsyncIterable<StreamCheckLimitsRequest> {
    for (;;) {
      const checks = this.#abort.signal.aborted ? [] : this.#options.take(this.#sent.size);
      if (checks.length > 0) {
        const items = checks.map((check) => this.#item(check));
        yield { $typeName: 'optix.ratelimit.v1.StreamCheckLimitsRequest', items };
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #item(check: OpenCheck): StreamCheckLimitsRequest_Item {
    while (this.#sent.has(this.#nextId)) this.#nextId = (this.#nextId + 1) % this.#ids;
    const id = this.#nextId;
    this.#nextId = (id + 1) % this.#ids;
    this.#sent.set(id, check);
    return { $typeName: 'optix.ratelimit.v1.StreamCheckLimitsRequest.Item', id, check: check.message };
  }

  /** When the check was sent, where it is one of this stream's. */
  #settle({ id, outcome }: StreamCheckLimitsResponse_Item): number | undefined {
    const check = this.#sent.get(id);
    if (check === undefined) return undefined;
    this.#sent.delete(id);
    if (outcome.case === 'decision') check.resolve(outcome.value);
    else if (outcome.case === 'error') check.reject(statusError(outcome.value));
    else check.reject(new ConnectError('the answer to the check has no outcome', Code.Internal));
    return check.sentAt;
  }
}
