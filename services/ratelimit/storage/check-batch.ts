import type { LimitState } from '../domain/limit-store.ts';
import { replyFailure } from './redis-failure.ts';
import { KeyUnusable } from './store-errors.ts';

/** Integers in the script's reply for each check. */
const REPLY_WIDTH = 4;

/** Checks that go to sliding-window-log.lua in one call, and who waits for each. */
export class CheckBatch {
  /** KEYS of the script. */
  readonly keys: string[] = [];
  /** ARGV of the script: cost, limit, window in µs, of each check in turn. */
  readonly numbers: number[] = [];
  readonly #resolves: ((state: LimitState) => void)[] = [];
  readonly #rejects: ((error: Error) => void)[] = [];

  /** Returns how many checks the batch has now. */
  add(
    key: string,
    cost: number,
    limit: number,
    windowMicros: number,
    resolve: (state: LimitState) => void,
    reject: (error: Error) => void,
  ): number {
    this.numbers.push(cost, limit, windowMicros);
    this.#resolves.push(resolve);
    this.#rejects.push(reject);
    return this.keys.push(key);
  }

  /** Hands each check its part of the script's reply. */
  settle(reply: unknown): void {
    if (!Array.isArray(reply) || reply.length !== this.keys.length * REPLY_WIDTH) {
      this.fail(new KeyUnusable('the script gave a reply of another shape'));
      return;
    }
    for (let check = 0, at = 0; at < reply.length; check++, at += REPLY_WIDTH) {
      const allowed = reply[at];
      if (allowed === -1) this.#rejects[check]?.(replyFailure(String(reply[at + 1])));
      else {
        this.#resolves[check]?.({
          allowed: allowed === 1,
          remaining: reply[at + 1],
          resetMicros: reply[at + 2],
          retryAfterMicros: reply[at + 3],
        });
      }
    }
  }

  /** Fails all checks of the batch alike. */
  fail(error: Error): void {
    for (const reject of this.#rejects) reject(error);
  }
}
