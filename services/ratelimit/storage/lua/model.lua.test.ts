import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../../../stack/redis-server.ts';
import type { Algorithm } from '../../domain/algorithm.ts';
import type { Taken } from '../../domain/limit-store.ts';
import { inspect, killRedis } from '../testing-redis.ts';
import { EACH_AND_ALL, type Operation, type Step, steps } from './testing-operations.ts';
import { ModelScripts, TimedScripts } from './testing-scripts.ts';

const T = 1_700_000_000_000_000;

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = inspect(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await killRedis(server);
});

/** What one operation took: the id is the lease it was asked with. */
interface Take {
  readonly id: string;
  readonly parts: readonly Taken[];
}

/** Does each step by script and by model; returns both sides of every reply. */
async function compare(sequence: readonly Step[]): Promise<[unknown[], unknown[]]> {
  await redis.flushall();
  const [scripts, models] = [new TimedScripts(redis), new ModelScripts()];
  const [replies, expected]: [unknown[], unknown[]] = [[], []];
  const takes: Take[] = [];
  let clock = T;

  async function perform(operation: Operation): Promise<[unknown, unknown]> {
    if (operation.kind === 'settle') {
      return [await scripts.settle(clock, operation.parts), models.settle(clock, operation.parts)];
    }
    if (operation.kind === 'decide') {
      const states = models.decide(clock, operation.asks);
      for (const [at, { terms, lease, peek }] of operation.asks.entries()) {
        const parts = terms.flatMap(({ key, limit, cost }, term) => {
          const state = states[at]?.[term];
          return state?.allowed && !peek ? [{ key, limit, cost, resetMicros: state.resetMicros }] : [];
        });
        if (parts.length > 0) takes.push({ id: lease, parts });
      }
      return [await scripts.decide(clock, operation.asks), states];
    }
    const number = operation.take % Math.max(1, takes.length);
    const take = takes[number];
    if (take === undefined) return [undefined, undefined];
    const { id, parts } = take;
    if (operation.kind === 'renew') {
      return [await scripts.renew(clock, id, parts), models.renew(clock, id, parts)];
    }
    return [await scripts.refund(clock, id, parts, `refunded-${id}`), models.refund(clock, id, parts)];
  }

  for (const { micros, operation } of sequence) {
    clock += micros;
    const [reply, wanted] = await perform(operation);
    replies.push(reply);
    expected.push(wanted);
  }
  return [replies, expected];
}

async function keysWithoutExpiry(): Promise<string[]> {
  const keys = await redis.keys('*');
  const lives = await Promise.all(keys.map((key) => redis.pttl(key)));
  return keys.filter((_, at) => (lives[at] as number) <= 0);
}

describe('the scripts', () => {
  it.each(EACH_AND_ALL)('answer every sequence of operations as the models do: %s', async (_, algorithms) => {
    await check(algorithms, false, 250);
  });

  it.each(EACH_AND_ALL)('agree with the models at the ends of all ranges: %s', async (_, algorithms) => {
    await check(algorithms, true, 100);
  });
});

async function check(algorithms: readonly Algorithm[], extremes: boolean, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(steps(algorithms, extremes, 30), async (sequence) => {
      const [replies, expected] = await compare(sequence);
      expect(replies).toEqual(expected);
      expect(await keysWithoutExpiry()).toEqual([]);
    }),
    { numRuns },
  );
}
