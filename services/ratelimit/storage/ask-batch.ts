import { epochMicros } from '../domain/clock.ts';
import type { Ask, LimitState } from '../domain/limit-store.ts';
import { replyFailure } from './redis-failure.ts';
import { limitSpec } from './scripts.ts';
import { KeyUnusable, type StoreUnavailable } from './store-errors.ts';

/** Values in the script's reply for each term. */
const REPLY_WIDTH = 4;

/** Asks that go to decide.lua in one call, and who waits for each. */
export class AskBatch {
  /** KEYS of the script. */
  readonly keys: string[] = [];
  /** ARGV of the script. */
  readonly values: (string | number)[] = [];
  readonly #asks: Ask[] = [];
  readonly #resolves: ((states: readonly LimitState[]) => void)[] = [];
  readonly #rejects: ((error: Error) => void)[] = [];
  readonly #onFault: (error: StoreUnavailable | KeyUnusable, shadow: boolean) => void;

  /** @param onFault see {@link AskBatch.settle} */
  constructor(onFault: (error: StoreUnavailable | KeyUnusable, shadow: boolean) => void) {
    this.#onFault = onFault;
  }

  get size(): number {
    return this.#asks.length;
  }

  add(ask: Ask, resolve: (states: readonly LimitState[]) => void, reject: (error: Error) => void): void {
    const { terms, peek, lease } = ask;
    this.values.push(peek ? -terms.length : terms.length);
    for (const { key, limit, cost } of terms) {
      this.keys.push(key);
      this.values.push(limitSpec(limit), limit.algorithm === 'CONCURRENCY' ? `${cost}:${lease}` : cost);
    }
    this.#asks.push(ask);
    this.#resolves.push(resolve);
    this.#rejects.push(reject);
  }

  /** The same asks in the same order, in a batch each. */
  split(): readonly AskBatch[] {
    return this.#asks.map((ask, index) => {
      const alone = new AskBatch(this.#onFault);
      alone.add(ask, this.#resolves[index] as () => void, this.#rejects[index] as () => void);
      return alone;
    });
  }

  /**
   * Hands each ask its part of the script's reply. An ask fails where the key of an enforced term is at fault: nothing
   * of it was taken then. A shadow decides nothing, so it is taken to have room. `onFault` is told of each key at fault.
   */
  settle(reply: unknown): void {
    if (!Array.isArray(reply) || reply.length !== this.keys.length * REPLY_WIDTH) {
      const error = new KeyUnusable('the script gave a reply of another shape');
      this.#onFault(error, false);
      this.fail(error);
      return;
    }
    let at = 0;
    for (let index = 0; index < this.#asks.length; index++) {
      const { terms } = this.#asks[index] as Ask;
      const states: LimitState[] = [];
      let failure: Error | undefined;
      for (const { limit } of terms) {
        const room = reply[at];
        if (room === -1) {
          const error = replyFailure(String(reply[at + 1]));
          if (!limit.shadow) failure = error;
          this.#onFault(error, limit.shadow);
          states.push({
            allowed: true,
            remaining: limit.burst,
            resetMicros: epochMicros(),
            retryAfterMicros: 0,
          });
        } else {
          states.push({
            allowed: room === 1,
            remaining: reply[at + 1],
            resetMicros: reply[at + 2],
            retryAfterMicros: reply[at + 3],
          });
        }
        at += REPLY_WIDTH;
      }
      if (failure === undefined) this.#resolves[index]?.(states);
      else this.#rejects[index]?.(failure);
    }
  }

  /** Fails all asks of the batch alike. */
  fail(error: StoreUnavailable | KeyUnusable): void {
    for (const reject of this.#rejects) reject(error);
  }
}
