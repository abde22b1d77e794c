import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RedisTarget, singleRedis } from '../../../runtime/redis-target.ts';
import { freePort } from '../../../stack/ports.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { RedisStore } from './redis-store.ts';
import { StoreUnavailable } from './store-errors.ts';
import { connectedStore, inspect, killRedis, take, untilWell } from './testing-redis.ts';

/** What the timers of a busy test machine may add. */
const SLACK_MS = 150;

let server: RedisServer;
let target: RedisTarget;

beforeAll(async () => {
  server = await startRedis();
  target = singleRedis(server.url);
});

afterAll(async () => {
  await killRedis(server);
});

describe('RedisStore, where Redis is away, slow or unfit', () => {
  it('fails at once, with the reason, where nobody listens', async () => {
    const gone = await startRedis();
    await killRedis(gone);
    await using store = new RedisStore({ target: singleRedis(gone.url) });
    await expect.poll(() => store.ping('').catch(String), { timeout: 2_000 }).toMatch(/ECONNREFUSED/);
    const start = performance.now();
    await expect(take(store, 'any')).rejects.toThrow(StoreUnavailable);
    await expect(store.prepare('')).rejects.toThrow(StoreUnavailable);
    expect(performance.now() - start).toBeLessThan(20);
  });

  it('gives up after its budget where Redis hangs, then answers again, never repeating a check', async () => {
    await using own = await startRedis();
    await using store = await connectedStore(singleRedis(own.url), { budgetMs: 50 });
    own.kill('SIGSTOP');
    const start = performance.now();
    const results = await Promise.allSettled([
      ...Array.from({ length: 200 }, () => take(store, 'hung', { limit: 1_000 })),
      store.ping(''),
    ]);
    const elapsed = performance.now() - start;
    expect(results.every((result) => result.status === 'rejected')).toBe(true);
    expect(results[0]).toMatchObject({ reason: expect.any(StoreUnavailable) });
    expect(elapsed).toBeGreaterThanOrEqual(49);
    expect(elapsed).toBeLessThan(50 + SLACK_MS);
    own.kill('SIGCONT');
    await expect.poll(() => store.prepare(''), { timeout: 1_000, interval: 10 }).toBeUndefined();
    // Each was read from the socket at most once.
    const { remaining } = await take(store, 'hung', { limit: 1_000 });
    expect(remaining).toBeGreaterThanOrEqual(1_000 - 200 - 1);
  });

  it('fails all checks under way at once where Redis dies', async () => {
    const own = await startRedis();
    await using store = await connectedStore(singleRedis(own.url), { budgetMs: 5_000 });
    own.kill('SIGSTOP');
    const checks = Array.from({ length: 10 }, () => take(store, 'dying'));
    const settled = Promise.allSettled(checks);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const start = performance.now();
    await killRedis(own);
    const results = await settled;
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(results.every((result) => result.status === 'rejected')).toBe(true);
  });

  it('does not take a stall of its own process for a hung Redis', async () => {
    await using store = await connectedStore(target, { budgetMs: 50 });
    const check = take(store, 'stalled');
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 120;
    while (performance.now() < until) Math.sqrt(until);
    expect(await check).toMatchObject({ allowed: true });
  });

  it('is not fit for checks on a replica or with memory full, although both answer PING', async () => {
    await using own = await startRedis();
    await using store = await connectedStore(singleRedis(own.url));
    await using admin = inspect(own.url);
    await admin.replicaof('127.0.0.1', 1);
    await expect(take(store, 'replica')).rejects.toThrow(/READONLY/);
    await expect.poll(() => store.prepare('').catch(String), { timeout: 1_000 }).toMatch(/READONLY/);
    expect(await store.ping('')).toBeGreaterThan(0);
    await admin.replicaof('NO', 'ONE');
    await expect.poll(() => store.prepare(''), { timeout: 1_000, interval: 10 }).toBeUndefined();

    await admin.config('SET', 'maxmemory', '1');
    await expect(take(store, 'full')).rejects.toThrow(StoreUnavailable);
    await expect(store.prepare('')).rejects.toThrow(/OOM/);
  });

  it('waits for a Redis that still reads its data, and counts on from there', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'optix-loading-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const first = await startRedis({ dir });
    await using store = await connectedStore(singleRedis(first.url), { budgetMs: 50 });
    const keys = Array.from({ length: 200 }, (_, index) => `loaded:${index}`);
    await Promise.all(keys.map((key) => take(store, key)));
    await using admin = inspect(first.url);
    await admin.save();
    await killRedis(first);
    // 5 ms a key, and a look at the sockets after each.
    const slowly = ['--key-load-delay', '5000', '--loading-process-events-interval-bytes', '1024'];
    const starting = startRedis({ dir, port: first.port, args: slowly });
    onTestFinished(async () => await killRedis(await starting));
    await using operator = inspect(first.url, false);
    await expect
      .poll(() => operator.get('x').then(String, String), { timeout: 5_000, interval: 5 })
      .toMatch(/LOADING/);
    await expect(take(store, 'loaded:1')).rejects.toThrow(StoreUnavailable);
    await expect(store.prepare('')).rejects.toThrow(StoreUnavailable);
    await starting;
    await untilWell(store, 1_000);
    for (const key of keys) expect((await take(store, key)).remaining).toBe(3);
  });

  it('says where a single server turns out to be a node of a cluster', async () => {
    const busPort = `${await freePort()}`;
    await using node = await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-port', busPort] });
    await using store = new RedisStore({ target: singleRedis(node.url) });
    await expect
      .poll(() => take(store, 'any').catch(String), { timeout: 2_000 })
      .toMatch(/CLUSTERDOWN|MOVED/);
  });

  it('fails checks after its disposal', async () => {
    const store = await connectedStore(target);
    const underWay = take(store, 'closing');
    const expected = expect(underWay).rejects.toThrow(StoreUnavailable);
    await store[Symbol.asyncDispose]();
    await expected;
    await expect(take(store, 'closed')).rejects.toThrow(StoreUnavailable);
    await expect(store.ping('')).rejects.toThrow(StoreUnavailable);
  });
});
