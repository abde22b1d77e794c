import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { LimitState, LimitStore } from '../domain/limit-store.ts';
import { CheckBatch } from './check-batch.ts';
import { closeRedis, connectRedis } from './redis-connection.ts';
import { redisFailure } from './redis-failure.ts';
import { KeyUnusable, StoreUnavailable } from './store-errors.ts';
import { withinBudget } from './within-budget.ts';

const SCRIPT = readFileSync(new URL('./sliding-window-log.lua', import.meta.url), 'utf8');
const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');

/** Redis runs a batch in one go, serving nobody else for 0.2 to 0.5 ms; more checks a call would save little more. */
const MAX_BATCH = 32;

/**
 * A key of no limit: those have a second colon before the brace. New each time, since a full Redis refuses only
 * scripts whose first write needs memory, and dropping dead units does not.
 */
const trialKey = () => `ratelimit:{trial-${randomUUID()}}`;

export interface RedisStoreOptions {
  /** `redis://` or `rediss://`; see {@link connectRedis}. */
  readonly url: string;
  /** Most time that a check may wait for Redis, in ms. Default: 50. */
  readonly budgetMs?: number;
}

/**
 * Counts in Redis (one instance), by sliding-window-log.lua.
 *
 * Checks that are asked for in one turn of the event loop share one EVALSHA and so one round trip: a third of the CPU
 * of a call each, on both sides. A check fails with {@link StoreUnavailable} at once where there is no connection,
 * and after the time budget where Redis hangs; with {@link KeyUnusable} where only its key is at fault. One that ran
 * out of time may still be counted, when Redis wakes up and reads its socket: the caller must not ask again for the
 * same operation.
 */
export class RedisStore implements LimitStore, AsyncDisposable {
  readonly source = 'REDIS';
  readonly #budgetMs: number;
  readonly #checks: Redis;
  /** A connection of its own, so that a probe never waits behind checks. */
  readonly #probes: Redis;
  #batch = new CheckBatch();
  #lastError = 'not connected yet';

  /** Connects in the background. @throws TypeError where the URL is not one of Redis. */
  constructor({ url, budgetMs = 50 }: RedisStoreOptions) {
    this.#budgetMs = budgetMs;
    this.#checks = connectRedis(url, 'ratelimit-checks');
    this.#probes = connectRedis(url, 'ratelimit-probes');
    for (const client of [this.#checks, this.#probes]) {
      client.on('error', (error) => {
        this.#lastError = error.message;
      });
      // What to say should it go away again without an error.
      client.on('ready', () => {
        this.#lastError = 'connection lost';
      });
    }
  }

  take(key: string, cost: number, limit: number, windowMicros: number): Promise<LimitState> {
    if (this.#checks.status !== 'ready') return Promise.reject(new StoreUnavailable(this.#lastError));
    return new Promise((resolve, reject) => {
      const size = this.#batch.add(key, cost, limit, windowMicros, resolve, reject);
      // Immediates run once all sockets that had something to read were read.
      if (size === 1) setImmediate(this.#sendScheduled, this.#batch);
      else if (size === MAX_BATCH) this.#send();
    });
  }

  /**
   * Round-trip time of a PING, in ms.
   *
   * @throws StoreUnavailable where Redis does not answer within the budget.
   */
  async ping(): Promise<number> {
    if (this.#probes.status !== 'ready') throw new StoreUnavailable(this.#lastError);
    const start = performance.now();
    await this.#ofRedis(this.#probes.ping());
    return performance.now() - start;
  }

  /**
   * Finds out whether checks can be counted: loads the script and takes a unit of a key of its own, on the connection
   * that checks use. So it also fails on a replica, on a full Redis, and where rights are missing, all of which
   * answer PING. Having failed it replaces that connection, which may be the only broken thing.
   *
   * @throws StoreUnavailable
   */
  async prepare(): Promise<void> {
    if (this.#checks.status !== 'ready') throw new StoreUnavailable(this.#lastError);
    try {
      await this.#ofRedis(this.#checks.script('LOAD', SCRIPT));
      await this.#ofRedis(this.#checks.evalsha(SCRIPT_SHA, 1, trialKey(), 1, 1, 1));
    } catch (error) {
      this.#checks.stream?.destroy();
      throw error;
    }
  }

  /** Closes both connections at once; checks under way fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#lastError = 'closed';
    closeRedis(this.#checks);
    closeRedis(this.#probes);
  }

  readonly #sendScheduled = (batch: CheckBatch): void => {
    // A batch that filled up meanwhile is on its way.
    if (batch === this.#batch) this.#send();
  };

  #send(): void {
    const batch = this.#batch;
    this.#batch = new CheckBatch();
    this.#inBudget(this.#evaluate(batch)).then(
      (reply) => batch.settle(reply),
      (error: StoreUnavailable | KeyUnusable) => batch.fail(error),
    );
  }

  async #evaluate(batch: CheckBatch): Promise<unknown> {
    const keys = batch.keys.length;
    try {
      return await this.#checks.evalsha(SCRIPT_SHA, keys, ...batch.keys, ...batch.numbers);
    } catch (error) {
      // Redis forgets scripts (restart, failover, SCRIPT FLUSH). It has not run then, so nothing counts twice; EVAL
      // makes it known again.
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await this.#checks.eval(SCRIPT, keys, ...batch.keys, ...batch.numbers);
    }
  }

  /** For commands that are about Redis and no check's key: all failures are its own. */
  async #ofRedis<T>(reply: Promise<T>): Promise<T> {
    try {
      return await this.#inBudget(reply);
    } catch (error) {
      throw error instanceof KeyUnusable ? new StoreUnavailable(error.message) : error;
    }
  }

  async #inBudget<T>(reply: Promise<T>): Promise<T> {
    try {
      return await withinBudget(reply, this.#budgetMs);
    } catch (error) {
      throw redisFailure(error);
    }
  }
}
