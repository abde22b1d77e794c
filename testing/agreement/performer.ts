import type { Redis } from 'ioredis';
import type { Limit } from '../../services/ratelimit/domain/limit.ts';
import { AskBatch } from '../../services/ratelimit/storage/ask-batch.ts';
import { limitSpec } from '../../services/ratelimit/storage/scripts.ts';
import type { ContestedKey } from './contested-keys.ts';
import type { AskOperation, LimitRef, Operation } from './operation.ts';
import { type LoadedScripts, SEQUENCE_KEY } from './sequenced-scripts.ts';

/** How long an id stays refunded: longer than any run. */
const MARKER_MS = 3_600_000;

/** Does operations in Redis. */
export class Performer {
  readonly #redis: Redis;
  readonly #scripts: LoadedScripts;
  readonly #keys: readonly ContestedKey[];

  constructor(redis: Redis, scripts: LoadedScripts, keys: readonly ContestedKey[]) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
  }

  /** @returns the call's place among all calls, and the reply of the production script */
  async perform(operation: Operation, clock: number): Promise<[sequence: number, reply: unknown]> {
    switch (operation.kind) {
      case 'decide': {
        const batch = new AskBatch(() => undefined);
        for (const ask of operation.asks) this.#add(batch, ask);
        return await this.#run('decide', batch.keys, batch.values, clock);
      }
      case 'refund': {
        const { id, parts } = operation;
        const values = parts.flatMap(([key, version, cost, reset]) => [
          this.#spec([key, version]),
          cost,
          reset,
        ]);
        const names = [`refunded:${id}`, ...parts.map(([key]) => this.#name(key))];
        return await this.#run('refund', names, [id, MARKER_MS, ...values], clock);
      }
      case 'renew': {
        const { id, parts } = operation;
        const values = parts.flatMap(([key, version, cost]) => [this.#spec([key, version]), cost]);
        const names = parts.map(([key]) => this.#name(key));
        return await this.#run('renew', names, [id, ...values], clock);
      }
      case 'settle': {
        const { entries } = operation;
        const values = entries.flatMap(([key, version, debt]) => [
          this.#spec([key, version]),
          debt.length,
          ...debt,
        ]);
        const names = entries.map(([key]) => this.#name(key));
        return await this.#run('settle', names, values, clock);
      }
      case 'reset':
        return await this.#reset(operation.keys);
    }
  }

  async #run(
    script: keyof LoadedScripts,
    names: readonly string[],
    values: readonly (string | number)[],
    clock: number,
  ): Promise<[number, unknown]> {
    const sha = this.#scripts[script];
    return (await this.#redis.evalsha(sha, names.length, ...names, ...values, clock)) as [number, unknown];
  }

  async #reset(keys: readonly number[]): Promise<[number, unknown]> {
    const names = keys.map((key) => this.#name(key));
    const replies = await this.#redis
      .multi()
      .incr(SEQUENCE_KEY)
      .unlink(...names)
      .exec();
    const [sequence, count] = (replies ?? []).map(([error, reply]) => {
      if (error) throw error;
      return reply;
    });
    return [Number(sequence), count];
  }

  #add(batch: AskBatch, [peek, lease, refs]: AskOperation): void {
    const terms = refs.map(([key, version, cost]) => ({
      key: this.#name(key),
      limit: this.#limit([key, version]),
      cost,
    }));
    const ignore = () => undefined;
    batch.add({ peek: peek === 1, lease, terms }, ignore, ignore);
  }

  #name(key: number): string {
    return (this.#keys[key] as ContestedKey).key;
  }

  #limit([key, version]: LimitRef): Limit {
    return (this.#keys[key] as ContestedKey).versions[version] as Limit;
  }

  #spec(ref: LimitRef): string {
    return limitSpec(this.#limit(ref));
  }
}
