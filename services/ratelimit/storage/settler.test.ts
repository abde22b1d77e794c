import { describe, expect, it, onTestFinished } from 'vitest';
import { startRedis } from '../../../stack/redis-server.ts';
import { ALGORITHMS } from '../domain/algorithm.ts';
import type { CheckTerm } from '../domain/check-plan.ts';
import { StoreAway } from '../domain/errors.ts';
import type { LimitState } from '../domain/limit-store.ts';
import { closedWithinASecond, guard, guardClosed, opensWithinASecond, ownRedis } from './testing-guard.ts';
import { persistentRedis } from './testing-persistent-redis.ts';
import { inspect, killRedis } from './testing-redis.ts';
import { askFor, termOf } from './testing-terms.ts';

const DAY_MICROS = 86_400_000_000;

/** How many of `times` asks for a term are allowed; each with a lease of its own. */
async function allowed({ store }: ReturnType<typeof guard>, term: CheckTerm, times: number): Promise<number> {
  const leases = Array.from({ length: times }, (_, index) => `${term.key}-${performance.now()}-${index}`);
  let count = 0;
  for (const lease of leases) {
    const { states } = await store.decide(askFor([term], { lease: lease.replaceAll('.', '_') }));
    if (states[0]?.allowed) count += 1;
  }
  return count;
}

describe('what is taken while Redis is away', () => {
  it.each(ALGORITHMS)('is no second quota once it is back: %s', async (algorithm) => {
    await using disk = await persistentRedis();
    const guarded = await guardClosed(disk.url);
    // A window of days, so that no part of it runs out under the test: none refills, and no new window begins.
    const term = termOf('FAIL_LOCAL', 'k', { algorithm, limit: 20, windowMicros: 30 * DAY_MICROS });
    expect(await allowed(guarded, term, 6)).toBe(6);
    await disk.crash();
    await opensWithinASecond(guarded.store);
    expect(await allowed(guarded, term, 9)).toBe(9);
    await disk.restart();
    await closedWithinASecond(guarded.store);
    const after = await guarded.ask(term);
    expect(after).toMatchObject({ source: 'REDIS', states: [{ allowed: true, remaining: 4 }] });
    expect(await allowed(guarded, term, 9)).toBe(4);
  });

  it('of two processes, each of which takes its share, is in Redis once it is back', async () => {
    await using disk = await persistentRedis();
    const both = [await guardClosed(disk.url, 2), await guardClosed(disk.url, 2)] as const;
    const term = termOf('FAIL_LOCAL', 'k', { limit: 11, windowMicros: DAY_MICROS });
    await disk.crash();
    for (const { store } of both) await opensWithinASecond(store);
    expect([await allowed(both[0], term, 9), await allowed(both[1], term, 9)]).toEqual([5, 5]);
    await disk.restart();
    for (const { store } of both) await closedWithinASecond(store);
    expect(await allowed(both[0], term, 5)).toBe(1);
  });

  it('is there before the first check that Redis decides, also under checks without a pause', async () => {
    const server = await startRedis();
    const { store } = await guardClosed(server.url);
    const term = termOf('FAIL_LOCAL', 'k', {
      algorithm: 'FIXED_WINDOW',
      limit: 1_000_000,
      windowMicros: DAY_MICROS,
    });
    await killRedis(server);
    await opensWithinASecond(store);
    let taken = 0;
    const wrong: { readonly state: LimitState; readonly taken: number }[] = [];
    const again = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(again));
    let counted = 0;
    while (counted < 50) {
      const verdict = store.decide(askFor([term]));
      if (!(verdict instanceof Promise)) taken += 1;
      else {
        const [state] = (await verdict).states;
        counted += 1;
        if (state?.remaining !== 1_000_000 - taken - counted)
          wrong.push({ state: state as LimitState, taken });
      }
      if (taken % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(taken).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });

  it('is settled for tens of thousands of keys, while answers go on', async () => {
    const server = await startRedis();
    const { store } = await guardClosed(server.url);
    await killRedis(server);
    await opensWithinASecond(store);
    const keys = Array.from({ length: 30_000 }, (_, index) => `k-${index}`);
    for (const key of keys) void store.decide(askFor([termOf('FAIL_LOCAL', key)]));
    const again = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(again));
    await using admin = inspect(again.url);
    const open = askFor([termOf('FAIL_OPEN', 'open')]);
    let answers = 0;
    let slowest = 0;
    while (store.state === 'OPEN') {
      const start = performance.now();
      await store.decide(open);
      slowest = Math.max(slowest, performance.now() - start);
      answers += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(answers).toBeGreaterThan(100);
    expect(slowest).toBeLessThan(250);
    await expect.poll(() => admin.exists(...keys)).toBe(30_000);
  });

  it('is settled where one key has as many units as a log holds', async () => {
    const server = await startRedis();
    const { store, ask } = await guardClosed(server.url);
    const term = termOf('FAIL_LOCAL', 'k', { limit: 100_000, cost: 40_000, windowMicros: DAY_MICROS });
    await killRedis(server);
    await opensWithinASecond(store);
    for (let time = 0; time < 2; time += 1) expect((await ask(term)).states[0]?.allowed).toBe(true);
    const again = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(again));
    await expect.poll(() => store.state, { timeout: 5_000, interval: 5 }).toBe('CLOSED');
    expect(
      (await ask(termOf('FAIL_LOCAL', 'k', { limit: 100_000, windowMicros: DAY_MICROS }))).states[0],
    ).toMatchObject({
      remaining: 19_999,
    });
  });

  it('stays owed where settling fails, and the process goes on by itself', async () => {
    const server = await ownRedis();
    const guarded = await guardClosed(server.url);
    await using admin = inspect(server.url);
    const term = termOf('FAIL_LOCAL', 'k', { limit: 5, windowMicros: DAY_MICROS });
    server.kill('SIGSTOP');
    await opensWithinASecond(guarded.store);
    expect(await allowed(guarded, term, 4)).toBe(4);
    server.kill('SIGCONT');
    // The write of a trial works, and that of the debt does not.
    await admin.acl('SETUSER', 'default', 'resetkeys', '~ratelimit:*');
    await expect.poll(() => guarded.store.reason, { timeout: 2_000, interval: 5 }).toMatch(/^NOPERM/);
    expect(guarded.store.state).toBe('OPEN');
    expect(await allowed(guarded, term, 4)).toBe(1);
    await admin.acl('SETUSER', 'default', 'allkeys');
    await closedWithinASecond(guarded.store);
    expect(await allowed(guarded, term, 4)).toBe(0);
  });
});

describe('what was taken locally and is given back', () => {
  it('before the recovery is never settled', async () => {
    const server = await startRedis();
    await killRedis(server);
    const { store, ask } = guard(server.url);
    const term = termOf('FAIL_LOCAL', 'k', { cost: 2 });
    const { states } = await store.decide(askFor([term], { lease: 'one' }));
    const part = { ...term, resetMicros: states[0]?.resetMicros ?? 0 };
    expect(await store.refund('one', [part], 'FALLBACK_LOCAL')).toEqual([2]);
    const again = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(again));
    await closedWithinASecond(store);
    expect((await ask(term)).states[0]).toMatchObject({ allowed: true, remaining: 1 });
  });

  it('after it, if a lease, is free in Redis and here; other units stay', async () => {
    const server = await startRedis();
    await killRedis(server);
    const { store, ask } = guard(server.url);
    const lease = termOf('FAIL_LOCAL', 'lease', { algorithm: 'CONCURRENCY', cost: 3 });
    const units = termOf('FAIL_LOCAL', 'units', { cost: 3 });
    const { states } = await store.decide(askFor([lease, units], { lease: 'one' }));
    const parts = [lease, units].map((term, at) => ({ ...term, resetMicros: states[at]?.resetMicros ?? 0 }));
    const again = await startRedis({ port: server.port });
    onTestFinished(() => killRedis(again));
    await closedWithinASecond(store);
    expect((await ask(lease)).states[0]?.allowed).toBe(false);
    const ends = await store.renew('one', parts.slice(0, 1), 'FALLBACK_LOCAL');
    expect(ends[0]).toBeGreaterThan(parts[0]?.resetMicros ?? 0);
    expect((await store.refund('one', parts, 'FALLBACK_LOCAL'))[0]).toBe(3);
    expect((await ask(lease)).states[0]?.allowed).toBe(true);
    expect((await ask(units)).states[0]?.allowed).toBe(false);
  });

  it('is for Redis to say where this process doesn’t know the lease', async () => {
    const server = await startRedis();
    const { store } = await guardClosed(server.url);
    const part = {
      ...termOf('FAIL_LOCAL', 'k', { algorithm: 'CONCURRENCY' }),
      resetMicros: Date.now() * 2_000,
    };
    expect(await store.refund('elsewhere', [part], 'FALLBACK_LOCAL')).toEqual([0]);
    expect(await store.renew('elsewhere', [part], 'FALLBACK_LOCAL')).toEqual([0]);
    await killRedis(server);
    await opensWithinASecond(store);
    await expect(store.refund('elsewhere', [part], 'FALLBACK_LOCAL')).rejects.toThrow(StoreAway);
    await expect(store.renew('elsewhere', [part], 'FALLBACK_LOCAL')).rejects.toThrow(StoreAway);
  });

  it('a lease that is prolonged in a second outage lasts as long in Redis', async () => {
    await using disk = await persistentRedis();
    const { store, ask } = await guardClosed(disk.url);
    const lease = termOf('FAIL_LOCAL', 'k', { algorithm: 'CONCURRENCY', limit: 1, windowMicros: 3_000_000 });
    await disk.crash();
    await opensWithinASecond(store);
    const { states } = await store.decide(askFor([lease], { lease: 'one' }));
    const part = { ...lease, resetMicros: states[0]?.resetMicros ?? 0 };
    await disk.restart();
    await closedWithinASecond(store);
    await disk.crash();
    await opensWithinASecond(store);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const [end] = await store.renew('one', [part], 'FALLBACK_LOCAL');
    expect(end).toBeGreaterThan(part.resetMicros + 900_000);
    await disk.restart();
    await closedWithinASecond(store);
    const denied = await ask(lease);
    expect(denied).toMatchObject({ source: 'REDIS', states: [{ allowed: false }] });
    expect(denied.states[0]?.resetMicros).toBeGreaterThan(part.resetMicros + 800_000);
  }, 15_000);
});
