import type { DebtBatch, Debts } from './debts.ts';
import type { RedisStore } from './redis-store.ts';
import { NotSettled } from './store-errors.ts';

/**
 * What one call may take Redis, in µs: it serves nobody else meanwhile. That is 100 keys, which take this process less
 * than 1 ms to send. A single large log takes as long as it takes.
 */
const WEIGHT = 2_000;

/**
 * Brings what was taken while a lane was away into Redis.
 *
 * What failed of a batch is owed again. Whether Redis had written it is then not known, so it may be written twice: too
 * strict until it runs out, where the other way would be too lax.
 */
export class Settler {
  readonly #redis: Pick<RedisStore, 'settle'>;
  readonly #debts: Debts;

  constructor(redis: Pick<RedisStore, 'settle'>, debts: Debts) {
    this.#redis = redis;
    this.#debts = debts;
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
      await this.#settle(batch, false);
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
      sent.push(this.#settle(batch, true));
    }
    await Promise.all(sent);
  }

  async #settle(batch: DebtBatch, inOrder: boolean): Promise<void> {
    try {
      await this.#redis.settle(batch.entries, inOrder);
    } catch (error) {
      // Others of the batch may be in Redis for good.
      if (error instanceof NotSettled) this.#debts.putBack({ ...batch, entries: error.entries });
      throw error;
    }
  }
}
