import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import type { Decision } from '../domain/decision.ts';
import { defineRule, type StoreFailurePolicy } from '../domain/rule.ts';
import { type BreakerChange, GuardedStore } from './guarded-store.ts';
import { MemoryStore } from './memory-store.ts';
import { RedisStore } from './redis-store.ts';
import type { KeyUnusable } from './store-errors.ts';
import { partitionable } from './testing-partition.ts';
import { inspect, killRedis } from './testing-redis.ts';

const BUDGET_MS = 50;
/** What the timers of a busy test machine may add. */
const SLACK_MS = 150;

function rule(onStoreFailure: StoreFailurePolicy, limit = 3) {
  return defineRule({ name: 'tested', limit, windowMicros: 60_000_000, onStoreFailure });
}
const LOCAL = rule('FAIL_LOCAL');
const OPEN = rule('FAIL_OPEN');
const CLOSED = rule('FAIL_CLOSED');

/** A guarded store on `url`, and what it reported. */
function guard(url: string) {
  const redis = new RedisStore({ url, budgetMs: BUDGET_MS });
  const local = new MemoryStore();
  const changes: BreakerChange[] = [];
  const unusable: KeyUnusable[] = [];
  const store = new GuardedStore({
    redis,
    local,
    onChange: (change) => changes.push(change),
    onKeyUnusable: (error) => unusable.push(error),
  });
  onTestFinished(async () => {
    store[Symbol.dispose]();
    local[Symbol.dispose]();
    await redis[Symbol.asyncDispose]();
  });
  return { store, redis, changes, unusable };
}

async function guardClosed(url: string) {
  const guarded = guard(url);
  expect(await guarded.store.untilClosed(2_000)).toBe('CLOSED');
  return guarded;
}

async function ownRedis(): Promise<RedisServer> {
  const server = await startRedis();
  onTestFinished(() => killRedis(server));
  return server;
}

function closedWithinASecond(store: GuardedStore) {
  return expect.poll(() => store.state, { timeout: 1_000, interval: 5 }).toBe('CLOSED');
}

describe('GuardedStore', () => {
  let shared: RedisServer;
  beforeAll(async () => {
    shared = await startRedis();
  });
  afterAll(async () => {
    await killRedis(shared);
  });

  it('lets Redis count while it is there', async () => {
    const { store, changes } = await guardClosed(shared.url);
    expect(await store.decide(CLOSED, 'there', 2)).toMatchObject({
      allowed: true,
      limit: 3,
      remaining: 1,
      rule: CLOSED,
      source: 'REDIS',
    });
    expect(await store.decide(CLOSED, 'there', 2)).toMatchObject({ allowed: false, source: 'REDIS' });
    expect(changes).toEqual([{ state: 'CLOSED', reason: 'Redis counts' }]);
  });

  it('starts without Redis, answers by each rule at once, and notices when Redis comes', async () => {
    const server = await startRedis();
    await killRedis(server);
    const { store, changes } = guard(server.url);
    expect(await store.untilClosed(20)).toBe('OPEN');

    const local = Array.from({ length: 4 }, () => store.decide(LOCAL, 'absent', 1) as Decision);
    expect(local.map(({ allowed }) => allowed)).toEqual([true, true, true, false]);
    expect(local[3]).toMatchObject({ source: 'FALLBACK_LOCAL', remaining: 0 });
    expect(local[3]?.retryAfterMicros).toBeGreaterThan(59_000_000);
    expect(store.decide(OPEN, 'absent', 3)).toMatchObject({
      allowed: true,
      remaining: 3,
      source: 'FALLBACK_OPEN',
    });
    const denied = store.decide(CLOSED, 'absent', 1) as Decision;
    expect(denied).toMatchObject({ allowed: false, remaining: 0, source: 'FALLBACK_CLOSED' });
    expect(denied.retryAfterMicros).toBeGreaterThanOrEqual(1_000_000);
    expect(store.reason).toMatch(/ECONNREFUSED/);

    const late = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(late));
    await closedWithinASecond(store);
    expect(await store.decide(LOCAL, 'absent', 1)).toMatchObject({ source: 'REDIS', remaining: 2 });
    expect(changes.map(({ state }) => state)).toEqual(['CLOSED']);
  });

  it('has a killed Redis cost no call more than the budget, and recovers within a second of its return', async () => {
    const server = await startRedis();
    const { store, changes } = await guardClosed(server.url);
    const slowest = await callWhile(store, async () => {
      await killRedis(server);
      await expect.poll(() => store.state, { timeout: 1_000, interval: 1 }).toBe('OPEN');
    });
    expect(slowest).toBeLessThan(BUDGET_MS + SLACK_MS);
    const again = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(again));
    await closedWithinASecond(store);
    expect(changes.map(({ state }) => state)).toEqual(['CLOSED', 'OPEN', 'CLOSED']);
  });

  it('has a hung Redis cost one short time-out, answers far below 1 ms then, and recovers', async () => {
    const server = await ownRedis();
    const { store, changes } = await guardClosed(server.url);
    server.kill('SIGSTOP');
    const start = performance.now();
    const hit = await Promise.all(Array.from({ length: 200 }, () => store.decide(LOCAL, 'hung', 1)));
    expect(performance.now() - start).toBeLessThan(BUDGET_MS + SLACK_MS);
    expect(hit.filter(({ allowed }) => allowed)).toHaveLength(3);
    expect(hit.every(({ source }) => source === 'FALLBACK_LOCAL')).toBe(true);

    const calls = 2_000;
    const startOpen = performance.now();
    for (let call = 0; call < calls; call++) {
      expect(store.decide(OPEN, 'hung', 1)).not.toBeInstanceOf(Promise);
    }
    expect((performance.now() - startOpen) / calls).toBeLessThan(0.2);

    server.kill('SIGCONT');
    await closedWithinASecond(store);
    expect(await store.decide(CLOSED, 'after', 1)).toMatchObject({ source: 'REDIS' });
    expect(changes.map(({ state }) => state)).toEqual(['CLOSED', 'OPEN', 'CLOSED']);
    expect(changes[1]?.reason).toMatch(/no answer within 50 ms/);
  });

  it('also recovers from a hang that outlasts its connections', async () => {
    const server = await ownRedis();
    const { store } = await guardClosed(server.url);
    server.kill('SIGSTOP');
    // Longer than the time-out of a silent socket, so that new connections wait to be accepted.
    await new Promise((resolve) => setTimeout(resolve, 2_300));
    expect(store.state).toBe('OPEN');
    server.kill('SIGCONT');
    await closedWithinASecond(store);
  }, 10_000);

  it('finds a hung Redis by itself, before a check has to', async () => {
    const server = await ownRedis();
    const { store } = await guardClosed(server.url);
    server.kill('SIGSTOP');
    await expect.poll(() => store.state, { timeout: 1_000, interval: 5 }).toBe('OPEN');
    server.kill('SIGCONT');
    await closedWithinASecond(store);
  });

  it('replaces connections that the network lost without a word', async () => {
    await using partition = await partitionable(shared.port);
    const { store } = await guardClosed(partition.url);
    partition.freeze();
    partition.thaw();
    expect(await store.decide(OPEN, 'lost', 1)).toMatchObject({ source: 'FALLBACK_OPEN' });
    await closedWithinASecond(store);
  });

  it('replaces connections that were lost while they were made', async () => {
    await using partition = await partitionable(shared.port);
    const { store } = await guardClosed(partition.url);
    partition.freeze();
    expect(await store.decide(OPEN, 'lost', 1)).toMatchObject({ source: 'FALLBACK_OPEN' });
    await new Promise((resolve) => setTimeout(resolve, 700));
    partition.thaw();
    await expect.poll(() => store.state, { timeout: 2_000, interval: 5 }).toBe('CLOSED');
  });

  it('stays closed where only the connection of the probes breaks', async () => {
    const server = await ownRedis();
    const { store, redis, changes } = await guardClosed(server.url);
    await using admin = inspect(server.url);
    await expect.poll(() => redis.ping(), { timeout: 1_000 }).toBeGreaterThan(0);
    const clients = (await admin.client('LIST')) as string;
    const probes = /^id=(\d+) .*name=ratelimit-probes /m.exec(clients)?.[1] as string;
    await admin.client('KILL', 'ID', probes);
    await expect.poll(() => redis.ping().catch(String), { interval: 1 }).toMatch(/StoreUnavailable/);
    expect(await store.probe()).toBe('CLOSED');
    expect(changes).toHaveLength(1);
  });

  it('opens on a Redis that cannot write, and stays open although it answers PING', async () => {
    const server = await ownRedis();
    const { store, redis } = await guardClosed(server.url);
    await using admin = inspect(server.url);
    await admin.config('SET', 'maxmemory', '1');
    expect(await store.decide(OPEN, 'full', 1)).toMatchObject({ source: 'FALLBACK_OPEN' });
    expect(store.state).toBe('OPEN');
    expect(store.reason).toMatch(/OOM/);
    await expect.poll(() => redis.ping(), { timeout: 1_000 }).toBeGreaterThan(0);
    expect(await store.untilClosed(300)).toBe('OPEN');
    await admin.config('SET', 'maxmemory', '0');
    await closedWithinASecond(store);
  });

  it('answers for a key that Redis cannot count by the rule, and goes on with all others', async () => {
    const { store, changes, unusable } = await guardClosed(shared.url);
    await using admin = inspect(shared.url);
    await admin.set('foreign', 'text');
    const [foreign, well] = await Promise.all([
      store.decide(CLOSED, 'foreign', 1),
      store.decide(CLOSED, 'well', 1),
      store.decide(LOCAL, 'foreign', 1),
    ]);
    expect(foreign).toMatchObject({ allowed: false, source: 'FALLBACK_CLOSED' });
    expect(well).toMatchObject({ allowed: true, source: 'REDIS' });
    expect(store.state).toBe('CLOSED');
    expect(changes).toHaveLength(1);
    expect(unusable.map(({ message }) => message)).toEqual([expect.stringMatching(/WRONGTYPE/)]);
  });
});

/** Checks without a pause while `happening` goes on; the longest that one took, in ms. */
async function callWhile(store: GuardedStore, happening: () => Promise<void>): Promise<number> {
  let over = false;
  let slowest = 0;
  const calling = (async () => {
    while (!over) {
      const start = performance.now();
      const decisions = await Promise.all(Array.from({ length: 20 }, () => store.decide(OPEN, 'called', 1)));
      slowest = Math.max(slowest, performance.now() - start);
      expect(decisions).toHaveLength(20);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await happening();
  over = true;
  await calling;
  return slowest;
}
