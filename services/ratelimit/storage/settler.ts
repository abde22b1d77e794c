import type { DebtBatch, Debts } from './debts.ts';
import type { RedisStore } from './redis-store.ts';
import { KeyUnusable } from './store-errors.ts';

/**
 * What one call may take Redis, in µs: it serves nobody else meanwhile. That is 100 keys, which take this process less
 * than 1 ms to send. A single large log takes as long as it takes.
 */
const WEIGHT = 2_000;

/**
 * Brings what was taken while a lane was away into Redis.
 *
 * A batch that failed is owed again. Whether Redis had written it is then not known, so it may be written twice: too
 * strict until it runs out, where the other way would be too lax.
 */
export class Settler {
  readonly #redis: Pick<RedisStore, 'settle'>;
  readonly #debts: Debts;
  readonly #onKeyUnusable: (error: KeyUnusable) => void;

  constructor(redis: Pick<RedisStore, 'settle'>, debts: Debts, onKeyUnusable: (error: KeyUnusable) => void) {
    this.#redis = redis;
    this.#debts = debts;
    this.#onKeyUnusable = onKeyUnusable;
  }

  /**
   * Settles what a lane owes, batch after batch, while more may be added: some of that is left at the end, but little.
   *
   * @throws StoreUnavailable
   */
  async most(lane: string): Promise<void> {
    for (;;) {
      const batch = this.#debts.collect(lane, WEIGHT);
      if (batch === undefined) return;
      await this.#settle(batch);
      if (batch.isLast) return;
    }
  }

  /**
   * Sends all that a lane owes, in this turn: whatever is sent on its connection from now on comes after that.
   *
   * @throws StoreUnavailable, later
   */
  async rest(lane: string): Promise<void> {
    const sent: Promise<void>[] = [];
    for (;;) {
      const batch = this.#debts.collect(lane, WEIGHT);
      if (batch === undefined) break;
      sent.push(this.#settle(batch));
    }
    await Promise.all(sent);
  }

  async #settle(batch: DebtBatch): Promise<void> {
    try {
      await this.#redis.settle(batch.entries);
    } catch (error) {
      if (error instanceof KeyUnusable) {
        // Somebody else's key: what is owed to it can be settled at no time.
        this.#onKeyUnusable(error);
        return;
      }
      this.#debts.putBack(batch);
      throw error;
    }
  }
}
