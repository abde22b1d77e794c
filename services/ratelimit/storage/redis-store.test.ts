import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { RedisStore } from './redis-store.ts';
import { KeyUnusable, StoreUnavailable } from './store-errors.ts';
import { inspect, killRedis } from './testing-redis.ts';

const MINUTE = 60_000_000;
/** What the timers of a busy test machine may add. */
const SLACK_MS = 150;

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(async () => {
  await killRedis(server);
});

async function connectedStore(options: { url?: string; budgetMs?: number } = {}): Promise<RedisStore> {
  const store = new RedisStore({ url: server.url, budgetMs: 1_000, ...options });
  await expect.poll(() => store.prepare(), { timeout: 2_000, interval: 5 }).toBeUndefined();
  await expect.poll(() => store.ping(), { timeout: 2_000, interval: 5 }).toBeGreaterThan(0);
  return store;
}

async function evalshaCalls(): Promise<number> {
  await using redis = inspect(server.url);
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}

describe('RedisStore', () => {
  it('counts by the clock of Redis', async () => {
    await using store = await connectedStore();
    const before = Date.now() * 1000;
    const first = await store.take('count', 2, 3, MINUTE);
    expect(first).toEqual({
      allowed: true,
      remaining: 1,
      resetMicros: expect.any(Number),
      retryAfterMicros: 0,
    });
    expect(first.resetMicros).toBeGreaterThanOrEqual(before + MINUTE);
    expect(first.resetMicros).toBeLessThan((Date.now() + 1) * 1000 + MINUTE);
    const denied = await store.take('count', 2, 3, MINUTE);
    expect(denied).toMatchObject({ allowed: false, remaining: 1, resetMicros: first.resetMicros });
    expect(denied.retryAfterMicros).toBeGreaterThan(MINUTE - 2_000_000);
  });

  it('sends the checks of one turn of the event loop in one call, and answers each in its order', async () => {
    await using store = await connectedStore();
    const before = await evalshaCalls();
    const states = await Promise.all(Array.from({ length: 30 }, () => store.take('turn', 1, 30, MINUTE)));
    expect(states.map(({ remaining }) => remaining)).toEqual(
      Array.from({ length: 30 }, (_, index) => 29 - index),
    );
    expect((await evalshaCalls()) - before).toBe(1);
    await Promise.all(Array.from({ length: 80 }, () => store.take('turn', 1, 30, MINUTE)));
    expect((await evalshaCalls()) - before).toBe(1 + 3);
  });

  it('admits exactly the limit to 50 takers over five connections', async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => connectedStore()));
    try {
      const takers = Array.from({ length: 50 }, async (_, taker) => {
        let admitted = 0;
        for (let turn = 0; turn < 10; turn++) {
          const store = stores[taker % stores.length] as RedisStore;
          if ((await store.take('crowd', 1, 137, MINUTE)).allowed) admitted++;
        }
        return admitted;
      });
      const admitted = await Promise.all(takers);
      expect(admitted.reduce((sum, count) => sum + count)).toBe(137);
    } finally {
      await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
    }
  });

  it('goes on counting, none twice, while the scripts are flushed under it', async () => {
    await using store = await connectedStore();
    await using redis = inspect(server.url);
    let admitted = 0;
    for (let turn = 0; turn < 40; turn++) {
      const checks = Array.from({ length: 5 }, () => store.take('flushed', 1, 150, MINUTE));
      if (turn % 4 === 0) await redis.script('FLUSH');
      for (const { allowed } of await Promise.all(checks)) if (allowed) admitted++;
    }
    expect(admitted).toBe(150);
    expect(await redis.zcard('flushed')).toBe(150);
  });

  it('fails only the check whose key holds another type', async () => {
    await using store = await connectedStore();
    await using redis = inspect(server.url);
    await redis.set('foreign', 'text');
    const [before, foreign, after] = await Promise.allSettled([
      store.take('well', 1, 5, MINUTE),
      store.take('foreign', 1, 5, MINUTE),
      store.take('well', 1, 5, MINUTE),
    ]);
    expect(before).toMatchObject({ value: { remaining: 4 } });
    expect(after).toMatchObject({ value: { remaining: 3 } });
    expect(foreign).toMatchObject({ reason: expect.any(KeyUnusable) });
  });

  it('probes on a connection of its own', async () => {
    await using store = await connectedStore();
    expect(await store.ping()).toBeLessThan(1_000);
    await using redis = inspect(server.url);
    const clients = (await redis.client('LIST')) as string;
    expect(clients).toMatch(/name=ratelimit-checks .*cmd=evalsha/);
    expect(clients).toMatch(/name=ratelimit-probes .*cmd=ping/);
  });

  it('uses the database number and the password of the URL, and tells neither in errors', async () => {
    await using own = await startRedis();
    await using admin = inspect(own.url);
    await admin.config('SET', 'requirepass', 's3cret&more');
    const url = `redis://:s3cret%26more@127.0.0.1:${own.port}/3`;
    await using store = await connectedStore({ url });
    await store.take('in-three', 1, 5, MINUTE);
    await admin.select(3);
    expect(await admin.exists('in-three')).toBe(1);

    await using wrong = new RedisStore({ url: url.replace('more', 'less') });
    await expect.poll(() => wrong.ping().catch(String), { timeout: 2_000 }).toMatch(/WRONGPASS/);
    expect(String(await wrong.ping().catch(String))).not.toContain('s3cret');
  });

  it.each(['', 'localhost:6379', 'http://localhost', 'redis://user:s3cret@localhost/abc', 'redis://'])(
    'refuses a URL that is not one of Redis, without repeating it: %j',
    (url) => {
      const connect = () => new RedisStore({ url });
      expect(connect).toThrow(TypeError);
      expect(connect).not.toThrow(/s3cret/);
    },
  );

  it('fails at once, with the reason, where nobody listens', async () => {
    const gone = await startRedis();
    await killRedis(gone);
    await using store = new RedisStore({ url: gone.url });
    await expect.poll(() => store.ping().catch(String), { timeout: 2_000 }).toMatch(/ECONNREFUSED/);
    const start = performance.now();
    await expect(store.take('any', 1, 5, MINUTE)).rejects.toThrow(StoreUnavailable);
    await expect(store.prepare()).rejects.toThrow(StoreUnavailable);
    expect(performance.now() - start).toBeLessThan(20);
  });

  it('gives up after its budget where Redis hangs, then answers again, never repeating a check', async () => {
    await using own = await startRedis();
    await using store = await connectedStore({ url: own.url, budgetMs: 50 });
    own.kill('SIGSTOP');
    const start = performance.now();
    const results = await Promise.allSettled([
      ...Array.from({ length: 200 }, () => store.take('hung', 1, 1_000, MINUTE)),
      store.ping(),
    ]);
    const elapsed = performance.now() - start;
    expect(results.every((result) => result.status === 'rejected')).toBe(true);
    expect(results[0]).toMatchObject({ reason: expect.any(StoreUnavailable) });
    expect(elapsed).toBeGreaterThanOrEqual(49);
    expect(elapsed).toBeLessThan(50 + SLACK_MS);
    own.kill('SIGCONT');
    await expect.poll(() => store.prepare(), { timeout: 1_000, interval: 10 }).toBeUndefined();
    // Each was read from the socket at most once.
    const { remaining } = await store.take('hung', 1, 1_000, MINUTE);
    expect(remaining).toBeGreaterThanOrEqual(1_000 - 200 - 1);
  });

  it('fails all checks under way at once where Redis dies', async () => {
    const own = await startRedis();
    await using store = await connectedStore({ url: own.url, budgetMs: 5_000 });
    own.kill('SIGSTOP');
    const checks = Array.from({ length: 10 }, () => store.take('dying', 1, 5, MINUTE));
    const settled = Promise.allSettled(checks);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const start = performance.now();
    await killRedis(own);
    const results = await settled;
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(results.every((result) => result.status === 'rejected')).toBe(true);
  });

  it('does not take a stall of its own process for a hung Redis', async () => {
    await using store = await connectedStore({ budgetMs: 50 });
    const check = store.take('stalled', 1, 5, MINUTE);
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 120;
    while (performance.now() < until) Math.sqrt(until);
    expect(await check).toMatchObject({ allowed: true });
  });

  it('is not fit for checks on a replica or with memory full, although both answer PING', async () => {
    await using own = await startRedis();
    await using store = await connectedStore({ url: own.url });
    await using admin = inspect(own.url);
    await admin.replicaof('127.0.0.1', 1);
    await expect(store.take('replica', 1, 5, MINUTE)).rejects.toThrow(/READONLY/);
    await expect.poll(() => store.prepare().catch(String), { timeout: 1_000 }).toMatch(/READONLY/);
    expect(await store.ping()).toBeGreaterThan(0);
    await admin.replicaof('NO', 'ONE');
    await expect.poll(() => store.prepare(), { timeout: 1_000, interval: 10 }).toBeUndefined();

    await admin.config('SET', 'maxmemory', '1');
    await expect(store.take('full', 1, 5, MINUTE)).rejects.toThrow(StoreUnavailable);
    await expect(store.prepare()).rejects.toThrow(/OOM/);
  });

  it('fails checks after its disposal', async () => {
    const store = await connectedStore();
    const underWay = store.take('closing', 1, 5, MINUTE);
    const expected = expect(underWay).rejects.toThrow(StoreUnavailable);
    await store[Symbol.asyncDispose]();
    await expected;
    await expect(store.take('closed', 1, 5, MINUTE)).rejects.toThrow(StoreUnavailable);
    await expect(store.ping()).rejects.toThrow(StoreUnavailable);
  });
});
