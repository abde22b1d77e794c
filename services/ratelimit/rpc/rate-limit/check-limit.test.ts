import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Algorithm } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import { RuleMode } from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { DecisionSource } from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { failure, fieldsOf } from '../../../../testing/failure.ts';
import { testRedisUrl } from '../../../../testing/redis.ts';
import { TRANSPORTS } from '../../../../testing/services.ts';
import { STORES, someone, startTestLimiter, type TestLimiter } from './testing-limiter.ts';

const minute = { seconds: 60n };
const hour = { seconds: 3600n };

describe.each(STORES)('CheckLimit over several limits, counting in $store', ({ env }) => {
  let limiter: TestLimiter;
  let endpoint: string;
  beforeAll(async () => {
    limiter = await startTestLimiter(env());
    endpoint = await limiter.rule([
      { name: 'minute', limit: 3, window: minute },
      { name: 'hour', algorithm: Algorithm.TOKEN_BUCKET, limit: 20, window: hour, burst: 5 },
    ]);
  });
  afterAll(async () => {
    await limiter[Symbol.asyncDispose]();
  });

  describe.each(TRANSPORTS)('over %s', (transport) => {
    const client = () => limiter.client(transport);

    it('names the limit that decided and lists all', async () => {
      const check = { endpoint, identifier: someone() };
      const first = await client().checkLimit(check);
      expect(first).toMatchObject({ allowed: true, limitName: 'minute', limit: 3, remaining: 2 });
      expect(first.limits).toMatchObject([
        { limitName: 'minute', algorithm: Algorithm.SLIDING_WINDOW_LOG, remaining: 2, burst: 3 },
        { limitName: 'hour', algorithm: Algorithm.TOKEN_BUCKET, remaining: 4, burst: 5 },
      ]);
    });

    it('takes of none where one has no room', async () => {
      const check = { endpoint, identifier: someone() };
      for (let used = 0; used < 3; used += 1) expect((await client().checkLimit(check)).allowed).toBe(true);
      const denial = await client().checkLimit(check);
      expect(denial).toMatchObject({ allowed: false, limitName: 'minute', remaining: 0 });
      const { decision } = await client().peekLimit({ check });
      expect(decision?.limits.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
        [false, 0],
        [true, 2],
      ]);
    });

    it('counts against further keys, all or nothing', async () => {
      const address = someone();
      const also = [{ endpoint: 'auth_register', identifier: address }];
      const check = () => ({ endpoint: 'auth_login', identifier: someone(), also });
      for (let used = 0; used < 3; used += 1) expect((await client().checkLimit(check())).allowed).toBe(true);
      const denied = check();
      expect(await client().checkLimit(denied)).toMatchObject({
        allowed: false,
        rule: 'auth_register',
        limit: 3,
      });
      const { decision } = await client().peekLimit({ check: { ...denied, also: [] } });
      expect(decision?.remaining).toBe(5);
    });

    it('refuses a cost that could never pass for a further key', async () => {
      const also = [{ endpoint: 'auth_register', identifier: someone(), cost: 4 }];
      const check = { endpoint: 'auth_login', identifier: someone(), also };
      expect(fieldsOf(await failure(client().checkLimit(check)))).toEqual(['also[0].cost']);
    });

    it('refuses too many further keys, naming the field', async () => {
      const also = Array.from({ length: 16 }, () => ({ identifier: someone() }));
      const check = { endpoint: 'auth_login', identifier: someone(), also };
      expect(fieldsOf(await failure(client().checkLimit(check)))).toEqual(['also']);
    });

    it('enforces nothing in shadow mode, and says what it would have done', async () => {
      const shadow = await limiter.rule([{ limit: 1, window: minute }], RuleMode.SHADOW);
      const check = { endpoint: shadow, identifier: someone() };
      expect(await client().checkLimit(check)).toMatchObject({ allowed: true, shadowDenied: false });
      const second = await client().checkLimit(check);
      expect(second).toMatchObject({ allowed: true, shadowDenied: true });
      expect(second.limits).toMatchObject([{ shadow: true, allowed: false, remaining: 0 }]);
    });
  });
});

describe('a denied key', () => {
  const [{ env }] = STORES;
  let one: TestLimiter;
  let two: TestLimiter;
  beforeAll(async () => {
    one = await startTestLimiter(env());
    two = await startTestLimiter(env());
  });
  afterAll(async () => {
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
  });

  it('is answered without any call of Redis until it can have room', async () => {
    const check = { endpoint: 'auth_login', identifier: someone() };
    for (let used = 0; used < 5; used += 1) await one.client().checkLimit(check);
    expect((await one.client().checkLimit(check)).source).toBe(DecisionSource.REDIS);

    const redis = new Redis(testRedisUrl());
    const monitor = await redis.monitor();
    const seen: string[][] = [];
    monitor.on('monitor', (_: unknown, command: string[]) => seen.push(command));
    for (let times = 0; times < 50; times += 1) {
      const denial = await one.client().checkLimit(check);
      expect(denial).toMatchObject({ allowed: false, limit: 5, source: DecisionSource.CACHE });
      expect(Number(denial.retryAfter?.seconds)).toBeGreaterThan(40);
    }
    await redis.echo('the end');
    await expect.poll(() => seen.some((command) => command.includes('the end'))).toBe(true);
    expect(seen.filter((command) => command.join(' ').includes(check.identifier))).toEqual([]);
    monitor.disconnect();
    redis.disconnect();
  });

  it('has room at once on every replica where units are given back', async () => {
    const check = { endpoint: 'auth_login', identifier: someone(), cost: 5, refundable: true };
    const { receipt } = await one.client().checkLimit(check);
    for (const replica of [one, two]) {
      await replica.client().checkLimit(check);
      expect((await replica.client().checkLimit(check)).source).toBe(DecisionSource.CACHE);
    }
    await two.client().refundLimit({ receipt });
    await sleep(200);
    expect(await one.client().checkLimit(check)).toMatchObject({
      allowed: true,
      source: DecisionSource.REDIS,
    });
  });
});
