import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../../../stack/redis-server.ts';
import type { EnvoyUnit } from '../../domain/envoy/envoy-config.ts';
import { MAX_REQUESTS_PER_UNIT, overrideLimit } from '../../domain/envoy/envoy-limit.ts';
import { ENVOY_UNIT_MICROS } from '../../domain/envoy/envoy-unit.ts';
import type { Limit } from '../../domain/limit.ts';
import type { LimitState, Taken, Term } from '../../domain/limit-store.ts';
import { ModelScripts, TimedScripts } from '../lua/testing-scripts.ts';
import { inspect, killRedis } from '../testing-redis.ts';

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

function limitOf(requestsPerUnit: number, unit: EnvoyUnit): Limit {
  const { quota } = overrideLimit(requestsPerUnit, unit);
  if (quota.kind !== 'RATE' || quota.rule?.limits[0] === undefined) throw new Error('no limit');
  return quota.rule.limits[0];
}

const units = Object.keys(ENVOY_UNIT_MICROS) as EnvoyUnit[];
const size = fc.oneof(
  fc.constantFrom(MAX_REQUESTS_PER_UNIT, MAX_REQUESTS_PER_UNIT - 1, 2 ** 31, 2 ** 31 - 1, 1_000_000_001, 1),
  fc.integer({ min: 1, max: MAX_REQUESTS_PER_UNIT }),
);
const limit = fc.record({ requestsPerUnit: size, unit: fc.constantFrom(...units) });
const step = fc.record({
  kind: fc.constantFrom('take', 'take', 'take', 'look', 'refund', 'settle'),
  limit,
  /** Of the limit: all, the last unit, or any. */
  cost: fc.oneof(fc.constant(0), fc.constant(1), fc.nat({ max: MAX_REQUESTS_PER_UNIT })),
  micros: fc.oneof(
    fc.constantFrom(0, 0, 0, 1, -1, 1_000_000, 60_000_000),
    fc.integer({ min: -5_000_000, max: 5_000_000 }),
  ),
});

it('a limit up to the largest of the API counts to the unit, in the scripts as in the model', async () => {
  let taken = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20, size: 'max' }), async (steps) => {
      await redis.flushall();
      const [scripts, models] = [new TimedScripts(redis), new ModelScripts()];
      const takes: Taken[] = [];
      let clock = T;
      for (const [index, { kind, limit: written, cost: share, micros }] of steps.entries()) {
        clock += micros;
        const asked = limitOf(written.requestsPerUnit, written.unit);
        const cost = share === 0 ? asked.limit : 1 + (share % asked.limit);
        const term: Term = { key: `k${asked.keySuffix}`, limit: asked, cost };
        if (kind === 'refund') {
          const part = takes.pop();
          if (part === undefined) continue;
          const given = await scripts.refund(clock, `id${index}`, [part], `refunded-${index}`);
          expect(given).toEqual(models.refund(clock, `id${index}`, [part]));
        } else if (kind === 'settle') {
          const parts = [{ ...term, debt: [Math.abs(micros), cost] }];
          expect(await scripts.settle(clock, parts)).toEqual(models.settle(clock, parts));
        } else {
          const asks = [{ terms: [term], peek: kind === 'look', lease: '' }];
          const [[state]] = models.decide(clock, asks) as [[LimitState]];
          expect(await scripts.decide(clock, asks)).toEqual([[state]]);
          if (!state.allowed) refused += 1;
          else if (kind === 'take') {
            taken += 1;
            takes.push({ ...term, resetMicros: state.resetMicros });
          }
        }
      }
    }),
    { numRuns: 150 },
  );
  expect(taken).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

it('the last of 4,294,967,295 hits passes, and none after it', async () => {
  await redis.flushall();
  const scripts = new TimedScripts(redis);
  const year = limitOf(MAX_REQUESTS_PER_UNIT, 'YEAR');
  const take = async (cost: number) => {
    const [[state]] = (await scripts.decide(T, [
      { terms: [{ key: 'k', limit: year, cost }], peek: false, lease: '' },
    ])) as [[LimitState]];
    return [state.allowed, state.remaining];
  };
  expect(await take(MAX_REQUESTS_PER_UNIT - 1)).toEqual([true, 1]);
  expect(await take(2)).toEqual([false, 1]);
  expect(await take(1)).toEqual([true, 0]);
  expect(await take(1)).toEqual([false, 0]);
});

it('what was counted stays where a number is changed, and is counted anew where the unit is', async () => {
  await redis.flushall();
  const scripts = new TimedScripts(redis);
  const remaining = async (asked: Limit) => {
    const terms = [{ key: `k${asked.keySuffix}`, limit: asked, cost: 1 }];
    const [[state]] = (await scripts.decide(T, [{ terms, peek: false, lease: '' }])) as [[LimitState]];
    return state.remaining;
  };
  expect(await remaining(limitOf(10, 'HOUR'))).toBe(9);
  expect(await remaining(limitOf(20, 'HOUR'))).toBe(18);
  expect(await remaining(limitOf(20, 'DAY'))).toBe(19);
});
