import { create } from '@bufbuild/protobuf';
import {
  type StreamCheckLimitsRequest,
  type StreamCheckLimitsRequest_Item,
  type StreamCheckLimitsResponse,
  type StreamCheckLimitsResponse_Item,
  StreamCheckLimitsResponseSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { abortError } from '../../../../runtime/errors.ts';

/**
 * Items that were read and whose answers the caller has not taken, each counted with its keys or with the limits its
 * answer lists: from so many on, no further message is read.
 */
export const MAX_UNDELIVERED = 10_000;

/** Keys of the items that are being decided: one stream must not use up the time that the store has for all checks. */
export const MAX_KEYS_UNDER_WAY = 500;

/** Answers of one message, each counted with the limits it lists: keeps a message far below the size limits. */
const MAX_MESSAGE_WEIGHT = 1_000;

type Answer = StreamCheckLimitsResponse_Item;
type Delivery = IteratorResult<StreamCheckLimitsResponse, undefined>;

/**
 * The answers to a stream of checks, in the order in which they become ready. All that become ready within one turn of
 * the event loop leave in one message.
 *
 * Reads ahead of the consumer by {@link MAX_UNDELIVERED} items and one message at most, whatever the caller sends, and
 * decides {@link MAX_KEYS_UNDER_WAY} of them at a time. Where the requests end, by the caller, by an error or by the
 * signal, the answers under way are still given; then it ends alike.
 */
export class AnswerStream implements AsyncIterableIterator<StreamCheckLimitsResponse, undefined> {
  readonly #ask: (item: StreamCheckLimitsRequest_Item) => Promise<Answer> | Answer;
  readonly #signal: AbortSignal;
  readonly #stop = (): void => this.#endReading(abortError(this.#signal.reason));
  #ready: Answer[] = [];
  #readyWeight = 0;
  #keysUnderWay = 0;
  #reading = true;
  #failure: unknown;
  #wakeReader: (() => void) | undefined;
  #consumer: PromiseWithResolvers<Delivery> | undefined;
  #scheduled = false;

  /** @param ask decides an item; where that fails, the stream does. */
  constructor(
    requests: AsyncIterable<StreamCheckLimitsRequest>,
    ask: (item: StreamCheckLimitsRequest_Item) => Promise<Answer> | Answer,
    signal: AbortSignal,
  ) {
    this.#ask = ask;
    this.#signal = signal;
    signal.addEventListener('abort', this.#stop);
    if (signal.aborted) this.#stop();
    void this.#read(requests);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next message. One call at a time, as `for await` makes them. */
  next(): Promise<Delivery> {
    this.#consumer = Promise.withResolvers();
    this.#schedule();
    return this.#consumer.promise;
  }

  /** The consumer leaves: no further message is read, and answers to come are dropped. */
  return(): Promise<Delivery> {
    this.#endReading(undefined);
    this.#ready = [];
    this.#readyWeight = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  get #undelivered(): number {
    return this.#keysUnderWay + this.#readyWeight;
  }

  /** Never rejects. */
  async #read(requests: AsyncIterable<StreamCheckLimitsRequest>): Promise<void> {
    try {
      for await (const { items } of requests) {
        for (const item of items) {
          while (this.#reading && this.#keysUnderWay >= MAX_KEYS_UNDER_WAY) await this.#room();
          if (!this.#reading) return;
          this.#begin(item);
        }
        while (this.#reading && this.#undelivered >= MAX_UNDELIVERED) await this.#room();
      }
      this.#endReading(undefined);
    } catch (error) {
      this.#endReading(error);
    }
  }

  async #room(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wakeReader = resolve;
    });
  }

  #begin(item: StreamCheckLimitsRequest_Item): void {
    const answer = this.#ask(item);
    if (!(answer instanceof Promise)) {
      this.#settle(answer);
      return;
    }
    const keys = 1 + (item.check?.also.length ?? 0);
    this.#keysUnderWay += keys;
    answer.then(
      (later) => {
        this.#keysUnderWay -= keys;
        this.#settle(later);
      },
      (error: unknown) => {
        this.#keysUnderWay -= keys;
        this.#endReading(error);
      },
    );
  }

  #settle(answer: Answer): void {
    this.#ready.push(answer);
    this.#readyWeight += weightOf(answer);
    // Not at each answer: those of one script call come together.
    if (this.#keysUnderWay <= MAX_KEYS_UNDER_WAY / 2) this.#wakeReader?.();
    this.#schedule();
  }

  /** @param failure what the stream ends with; the first one counts. */
  #endReading(failure: unknown): void {
    this.#failure ??= failure;
    this.#reading = false;
    this.#signal.removeEventListener('abort', this.#stop);
    this.#wakeReader?.();
    this.#schedule();
  }

  /** Delivers when this turn of the event loop is over. */
  #schedule(): void {
    if (this.#scheduled || this.#consumer === undefined) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    if (this.#ready.length > 0) {
      consumer.resolve({ done: false, value: this.#message() });
    } else if (this.#reading || this.#keysUnderWay > 0) {
      return;
    } else if (this.#failure === undefined) {
      consumer.resolve({ done: true, value: undefined });
    } else {
      consumer.reject(this.#failure);
    }
    this.#consumer = undefined;
    if (this.#undelivered < MAX_UNDELIVERED) this.#wakeReader?.();
  }

  #message(): StreamCheckLimitsResponse {
    const message = create(StreamCheckLimitsResponseSchema);
    let weight = 0;
    let taken = 0;
    while (taken < this.#ready.length && weight < MAX_MESSAGE_WEIGHT) {
      weight += weightOf(this.#ready[taken] as Answer);
      taken += 1;
    }
    message.items = this.#ready.splice(0, taken);
    this.#readyWeight -= weight;
    return message;
  }
}

function weightOf({ outcome }: Answer): number {
  return outcome.case === 'decision' ? 1 + outcome.value.limits.length : 1;
}
