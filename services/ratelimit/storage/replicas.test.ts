import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { Replicas } from './replicas.ts';
import { inspect, killRedis } from './testing-redis.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await killRedis(server);
});

function process(url = server.url, fixed?: number): Replicas {
  const replicas = new Replicas({ target: singleRedis(url), ...(fixed === undefined ? {} : { fixed }) });
  onTestFinished(() => replicas[Symbol.asyncDispose]());
  return replicas;
}

function counts(replicas: Replicas, count: number, timeout = 2_000) {
  return expect.poll(() => replicas.count, { timeout, interval: 10 }).toBe(count);
}

describe('Replicas', () => {
  it('is one before Redis was reached, and tells within seconds how many there are', async () => {
    await using admin = inspect(server.url);
    await admin.flushall();
    const first = process();
    expect(first.count).toBe(1);
    const others = [process(), process()];
    for (const replicas of [first, ...others]) await counts(replicas, 3);
    expect(await admin.zcard('ratelimit:replicas')).toBe(3);
    expect(await admin.pttl('ratelimit:replicas')).toBeGreaterThan(5_000);
  });

  it('forgets those that say farewell, and those that give no sign for five seconds', async () => {
    await using admin = inspect(server.url);
    await admin.flushall();
    const [left, gone] = [process(), process()];
    await admin.eval(
      "return redis.call('ZADD', KEYS[1], 1000 * redis.call('TIME')[1] - 2000, 'silent')",
      1,
      'ratelimit:replicas',
    );
    await counts(left, 3);
    await gone[Symbol.asyncDispose]();
    expect(await admin.zcard('ratelimit:replicas')).toBe(2);
    // Dead within 3 s, missed by the next sign, and the greatest of the last six counts for five signs more.
    await counts(left, 1, 15_000);
  }, 20_000);

  it('forgets those that are gone although the clock of Redis was set back', async () => {
    await using admin = inspect(server.url);
    await admin.flushall();
    await admin.eval(
      "return redis.call('ZADD', KEYS[1], 1000 * redis.call('TIME')[1] + 3600000, 'gone')",
      1,
      'ratelimit:replicas',
    );
    const one = process();
    await expect.poll(() => admin.zscore('ratelimit:replicas', 'gone'), { timeout: 2_000 }).toBeNull();
    expect(one.count).toBe(1);
  });

  it('keeps the number while Redis is away, and when Redis comes back empty', async () => {
    const own = await startRedis();
    const [one, other] = [process(own.url), process(own.url)];
    await counts(one, 2);
    await killRedis(own);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(one.count).toBe(2);
    await other[Symbol.asyncDispose]();
    const again = await startRedis({ port: own.port });
    onTestFinished(() => killRedis(again));
    await using admin = inspect(again.url);
    await expect.poll(() => admin.zcard('ratelimit:replicas'), { timeout: 3_000 }).toBe(1);
    expect(one.count).toBe(2);
    await counts(one, 1, 15_000);
  }, 30_000);

  it('says once that a Redis refuses to count', async () => {
    const own = await startRedis();
    onTestFinished(() => killRedis(own));
    await using admin = inspect(own.url);
    await admin.acl('SETUSER', 'default', '-eval');
    const refused: string[] = [];
    const replicas = new Replicas({
      target: singleRedis(own.url),
      onRefused: (reason) => refused.push(reason),
    });
    onTestFinished(() => replicas[Symbol.asyncDispose]());
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(refused).toEqual([expect.stringMatching(/^NOPERM/)]);
    expect(replicas.count).toBe(1);
  });

  it('is what was set by hand, without a connection', () => {
    expect(process('redis://127.0.0.1:1', 7).count).toBe(7);
  });
});
