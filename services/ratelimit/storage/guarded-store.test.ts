import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import type { Verdict } from '../domain/decision-store.ts';
import { StoreAway } from '../domain/errors.ts';
import type { GuardedStore } from './guarded-store.ts';
import {
  BUDGET_MS,
  closedWithinASecond,
  guard,
  guardClosed,
  opensWithinASecond,
  ownRedis,
  SLACK_MS,
} from './testing-guard.ts';
import { partitionable } from './testing-partition.ts';
import { inspect, killRedis } from './testing-redis.ts';
import { askFor, termOf } from './testing-terms.ts';

describe('GuardedStore', () => {
  let shared: RedisServer;
  beforeAll(async () => {
    shared = await startRedis();
  });
  afterAll(async () => {
    await killRedis(shared);
  });

  it('lets Redis count while it is there', async () => {
    const { ask, changes } = await guardClosed(shared.url);
    const term = termOf('FAIL_CLOSED', 'there', { cost: 2 });
    expect(await ask(term)).toMatchObject({ source: 'REDIS', states: [{ allowed: true, remaining: 1 }] });
    expect(await ask(term)).toMatchObject({ source: 'REDIS', states: [{ allowed: false }] });
    expect(changes).toEqual([{ lane: '', state: 'CLOSED', reason: 'Redis counts' }]);
  });

  it('starts without Redis, answers by each rule at once, and notices when Redis comes', async () => {
    const server = await startRedis();
    await killRedis(server);
    const { store, ask, changes } = guard(server.url);
    expect(await store.untilClosed(20)).toBe('OPEN');
    const verdicts = (['FAIL_LOCAL', 'FAIL_OPEN', 'FAIL_CLOSED'] as const).map((policy) =>
      store.decide(askFor([termOf(policy, policy)])),
    );
    expect(verdicts).toMatchObject([
      { source: 'FALLBACK_LOCAL', states: [{ allowed: true, remaining: 2 }] },
      { source: 'FALLBACK_OPEN', states: [{ allowed: true, remaining: 3 }] },
      { source: 'FALLBACK_CLOSED', states: [{ allowed: false, remaining: 0 }] },
    ]);
    expect(store.reason).toMatch(/ECONNREFUSED/);

    const late = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(late));
    await closedWithinASecond(store);
    expect(await ask(termOf('FAIL_OPEN', 'late'))).toMatchObject({ source: 'REDIS' });
    expect(changes.map(({ state }) => state)).toEqual(['CLOSED']);
  });

  it('has a killed Redis cost no call more than the budget, and recovers within a second of its return', async () => {
    const server = await startRedis();
    const { store, changes } = await guardClosed(server.url);
    const slowest = await callWhile(store, async () => {
      await killRedis(server);
      await opensWithinASecond(store);
    });
    expect(slowest).toBeLessThan(BUDGET_MS + SLACK_MS);
    const again = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(again));
    await closedWithinASecond(store);
    expect(changes.map(({ state }) => state)).toEqual(['CLOSED', 'OPEN', 'CLOSED']);
  });

  it('has a hung Redis cost one short time-out, answers far below 1 ms then, and recovers', async () => {
    const server = await ownRedis();
    const { store, ask, changes } = await guardClosed(server.url);
    const [local, open] = [termOf('FAIL_LOCAL', 'hung'), termOf('FAIL_OPEN', 'hung')];
    server.kill('SIGSTOP');
    const start = performance.now();
    const hit = await Promise.all(Array.from({ length: 200 }, () => ask(local)));
    expect(performance.now() - start).toBeLessThan(BUDGET_MS + SLACK_MS);
    expect(hit.filter(({ states }) => states[0]?.allowed)).toHaveLength(3);
    expect(hit.every(({ source }) => source === 'FALLBACK_LOCAL')).toBe(true);

    const calls = 2_000;
    const startOpen = performance.now();
    for (let call = 0; call < calls; call++) {
      expect(store.decide(askFor([open]))).not.toBeInstanceOf(Promise);
    }
    expect((performance.now() - startOpen) / calls).toBeLessThan(0.2);

    server.kill('SIGCONT');
    await closedWithinASecond(store);
    expect(await ask(termOf('FAIL_CLOSED', 'after'))).toMatchObject({ source: 'REDIS' });
    expect(changes.map(({ state }) => state)).toEqual(['CLOSED', 'OPEN', 'CLOSED']);
    expect(changes[1]?.reason).toMatch(/no answer within/);
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
    await opensWithinASecond(store);
    server.kill('SIGCONT');
    await closedWithinASecond(store);
  });

  it('replaces connections that the network lost without a word', async () => {
    await using partition = await partitionable(shared.port);
    const { store, ask } = await guardClosed(partition.url);
    partition.freeze();
    partition.thaw();
    expect(await ask(termOf('FAIL_OPEN', 'lost'))).toMatchObject({ source: 'FALLBACK_OPEN' });
    await closedWithinASecond(store);
  });

  it('replaces connections that were lost while they were made', async () => {
    await using partition = await partitionable(shared.port);
    const { store, ask } = await guardClosed(partition.url);
    partition.freeze();
    expect(await ask(termOf('FAIL_OPEN', 'lost'))).toMatchObject({ source: 'FALLBACK_OPEN' });
    await new Promise((resolve) => setTimeout(resolve, 700));
    partition.thaw();
    await expect.poll(() => store.state, { timeout: 2_000, interval: 5 }).toBe('CLOSED');
  });

  it('stays closed where only the connection of the probes breaks', async () => {
    const server = await ownRedis();
    const { store, redis, changes } = await guardClosed(server.url);
    await using admin = inspect(server.url);
    await expect.poll(() => redis.ping(''), { timeout: 1_000 }).toBeGreaterThan(0);
    const clients = (await admin.client('LIST')) as string;
    const probes = /^id=(\d+) .*name=ratelimit-probes /m.exec(clients)?.[1] as string;
    await admin.client('KILL', 'ID', probes);
    await expect.poll(() => redis.ping('').catch(String), { interval: 1 }).toMatch(/StoreUnavailable/);
    expect(await store.probe()).toBe('CLOSED');
    expect(changes).toHaveLength(1);
  });

  it('opens on a Redis that cannot write, and stays open although it answers PING', async () => {
    const server = await ownRedis();
    const { store, redis, ask } = await guardClosed(server.url);
    await using admin = inspect(server.url);
    await admin.config('SET', 'maxmemory', '1');
    expect(await ask(termOf('FAIL_OPEN', 'full'))).toMatchObject({ source: 'FALLBACK_OPEN' });
    expect(store.state).toBe('OPEN');
    expect(store.reason).toMatch(/OOM/);
    await expect.poll(() => redis.ping(''), { timeout: 1_000 }).toBeGreaterThan(0);
    expect(await store.untilClosed(300)).toBe('OPEN');
    await admin.config('SET', 'maxmemory', '0');
    await closedWithinASecond(store);
  });

  it('answers for a key that Redis cannot count by the rule, and goes on with all others', async () => {
    const { store, ask, changes, unusable } = await guardClosed(shared.url);
    await using admin = inspect(shared.url);
    await admin.set('foreign', 'text');
    const [foreign, well] = await Promise.all([
      ask(termOf('FAIL_CLOSED', 'foreign')),
      ask(termOf('FAIL_CLOSED', 'well')),
      ask(termOf('FAIL_LOCAL', 'foreign')),
    ]);
    expect(foreign).toMatchObject({ source: 'FALLBACK_CLOSED', states: [{ allowed: false }] });
    expect(well).toMatchObject({ source: 'REDIS', states: [{ allowed: true }] });
    expect(store.state).toBe('CLOSED');
    expect(changes).toHaveLength(1);
    expect(unusable.map(({ message }) => message)).toEqual([expect.stringMatching(/WRONGTYPE/)]);
  });

  it('says StoreAway to what only Redis can do while it is away, and forgets local counts all the same', async () => {
    const server = await startRedis();
    await killRedis(server);
    const { store, ask } = guard(server.url);
    const term = termOf('FAIL_LOCAL', 'k', { cost: 3 });
    const part = { ...term, resetMicros: Date.now() * 1_000 + 60_000_000 };
    await ask(term);
    await expect(store.refund('one', [part], 'REDIS')).rejects.toThrow(StoreAway);
    await expect(store.renew('one', [part], 'REDIS')).rejects.toThrow(StoreAway);
    expect((await ask(term)).states[0]?.allowed).toBe(false);
    await expect(store.reset(['k'])).rejects.toThrow(StoreAway);
    expect((await ask(term)).states[0]?.allowed).toBe(true);
  });

  it('says StoreAway where Redis goes away under a refund or refuses its key', async () => {
    const server = await ownRedis();
    const { store, unusable } = await guardClosed(server.url);
    await using admin = inspect(server.url);
    await admin.set('foreign', 'text');
    const foreign = { ...termOf('FAIL_OPEN', 'foreign'), resetMicros: Date.now() * 1_000 + 60_000_000 };
    await expect(store.refund('one', [foreign], 'REDIS')).rejects.toThrow(StoreAway);
    expect(unusable).toHaveLength(1);
    expect(store.state).toBe('CLOSED');
    server.kill('SIGSTOP');
    await expect(store.reset(['k'])).rejects.toThrow(StoreAway);
    expect(store.state).toBe('OPEN');
    server.kill('SIGCONT');
    await closedWithinASecond(store);
  });
});

/** Checks without a pause while `happening` goes on; the longest that one took, in ms. */
async function callWhile(store: GuardedStore, happening: () => Promise<void>): Promise<number> {
  let over = false;
  let slowest = 0;
  const ask = askFor([termOf('FAIL_OPEN', 'called')]);
  const calling = (async () => {
    while (!over) {
      const start = performance.now();
      const verdicts: Verdict[] = await Promise.all(Array.from({ length: 20 }, () => store.decide(ask)));
      slowest = Math.max(slowest, performance.now() - start);
      expect(verdicts).toHaveLength(20);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await happening();
  over = true;
  await calling;
  return slowest;
}
