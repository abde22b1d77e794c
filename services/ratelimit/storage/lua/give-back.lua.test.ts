import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../../../stack/redis-server.ts';
import { ALGORITHMS } from '../../domain/algorithm.ts';
import type { LimitState } from '../../domain/limit-store.ts';
import { limitOf } from '../../domain/testing-limit.ts';
import { inspect, killRedis } from '../testing-redis.ts';
import { TimedScripts } from './testing-scripts.ts';

const T = 1_700_000_000_000_000;
const MINUTE = 60_000_000;

let server: RedisServer;
let redis: Redis;
let scripts: TimedScripts;

beforeAll(async () => {
  server = await startRedis();
  redis = inspect(server.url);
  scripts = new TimedScripts(redis);
});

afterAll(async () => {
  redis.disconnect();
  await killRedis(server);
});

describe.each(ALGORITHMS)('of %s', (algorithm) => {
  const limit = limitOf({ algorithm, limit: 6, windowMicros: MINUTE });
  const key = (name: string) => `${algorithm}-${name}`;

  async function take(name: string, cost: number) {
    const terms = [{ key: key(name), limit, cost }];
    const [[state] = []] = await scripts.decide(T, [{ terms, peek: false, lease: 'id' }]);
    return { key: key(name), limit, cost, resetMicros: (state as LimitState).resetMicros };
  }

  async function remaining(name: string) {
    const terms = [{ key: key(name), limit, cost: 1 }];
    const [[state] = []] = await scripts.decide(T, [{ terms, peek: true, lease: 'other' }]);
    return (state as LimitState).remaining;
  }

  it('refund.lua gives back once, keeps the expiry, and leaves absent keys absent', async () => {
    const part = await take('once', 4);
    const expiry = await redis.pexpiretime(part.key);
    await take('once-2', 1);
    expect(await scripts.refund(T, 'id', [part, { ...part, key: key('absent') }], key('mark'))).toEqual([
      4, 0,
    ]);
    expect(await scripts.refund(T, 'id', [part], key('mark'))).toEqual([0]);
    expect(await remaining('once')).toBe(6);
    expect(await redis.exists(key('absent'))).toBe(0);
    if (await redis.exists(part.key))
      expect(Math.abs((await redis.pexpiretime(part.key)) - expiry)).toBeLessThan(2);
    expect(await redis.pttl(key('mark'))).toBeGreaterThan(59_000);
  });

  it('refund.lua and renew.lua tell the error of one part and do the others', async () => {
    await redis.rpush(key('list'), 'entry');
    const part = await take('beside', 2);
    const foreign = { ...part, key: key('list') };
    const renewed = await scripts.renew(T + 5, 'id', [foreign, part]);
    if (algorithm === 'CONCURRENCY') {
      expect(renewed).toEqual([expect.stringMatching(/^WRONGTYPE /), T + 5 + MINUTE]);
    } else {
      expect(renewed).toEqual([0, 0]);
    }
    expect(await scripts.refund(T + 5, 'id', [foreign, part], key('mark-2'))).toEqual([
      expect.stringMatching(/^WRONGTYPE /),
      2,
    ]);
  });

  it('settle.lua settles every key but the broken ones, which it tells, and lets all expire', async () => {
    await redis.rpush(key('broken'), 'entry');
    const debt = algorithm === 'TOKEN_BUCKET' ? [2] : algorithm === 'CONCURRENCY' ? ['1', 2, MINUTE] : [0, 2];
    const parts = ['settled', 'broken', 'settled-2'].map((name) => ({ key: key(name), limit, debt }));
    expect(await scripts.settle(T, parts)).toEqual([expect.stringMatching(/^WRONGTYPE /)]);
    expect([await remaining('settled'), await remaining('settled-2')]).toEqual([4, 4]);
    expect(await redis.pttl(key('settled'))).toBeGreaterThan(20_000);
    expect(await redis.lrange(key('broken'), '0', '-1')).toEqual(['entry']);
  });
});
