import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { type RedisSentinels, startRedisSentinels } from '../../../testing/redis-sentinel.ts';
import { RedisStore } from './redis-store.ts';
import { StoreUnavailable } from './store-errors.ts';
import { connectedStore, take, untilWell } from './testing-redis.ts';

async function started(options?: Parameters<typeof startRedisSentinels>[0]): Promise<RedisSentinels> {
  const sentinels = await startRedisSentinels(options);
  onTestFinished(async () => await sentinels[Symbol.asyncDispose]());
  return sentinels;
}

/** Asks for a unit every few ms until told to stop, and probes like a breaker after a failure. */
function load(store: RedisStore, key: string) {
  const outcome = { asked: 0, admitted: 0, failed: 0, longestAwayMs: 0 };
  let running = true;
  const done = (async () => {
    let awaySince: number | undefined;
    while (running) {
      outcome.asked++;
      try {
        if ((await take(store, key, { limit: 100_000 })).allowed) outcome.admitted++;
        awaySince = undefined;
        await sleep(2);
      } catch (error) {
        expect(error).toBeInstanceOf(StoreUnavailable);
        outcome.failed++;
        awaySince ??= performance.now();
        outcome.longestAwayMs = Math.max(outcome.longestAwayMs, performance.now() - awaySince);
        await store.prepare('').catch(() => undefined);
        await sleep(20);
      }
    }
  })();
  return {
    outcome,
    stop: async () => {
      running = false;
      await done;
    },
  };
}

it('counts in the master that the sentinels tell of, and follows when they change it under load', async () => {
  const sentinels = await started();
  await using store = await connectedStore(sentinels.target, { budgetMs: 50 });
  const { outcome, stop } = load(store, 'ratelimit:{failover}');
  await sleep(300);
  const before = { ...outcome };
  await sentinels.failOver();
  await expect.poll(() => sentinels.masterPort(), { timeout: 10_000 }).toBe(sentinels.replica.port);
  await sleep(500);
  await untilWell(store);
  const admittedThen = outcome.admitted;
  await sleep(300);
  await stop();
  expect(before.failed).toBe(0);
  expect(outcome.admitted).toBeGreaterThan(admittedThen + 20);
  expect(outcome.longestAwayMs).toBeLessThan(5_000);
  const { remaining } = await take(store, 'ratelimit:{failover}', { limit: 100_000 });
  const counted = 100_000 - remaining - 1;
  expect(counted).toBeLessThanOrEqual(outcome.asked);
  // Sentinels tell of the new master only after it has become that. What the old one counts meanwhile is lost.
  expect(counted).toBeGreaterThanOrEqual(before.admitted + outcome.admitted - admittedThen);
});

it('goes on with the replica where the master dies', async () => {
  const sentinels = await started();
  await using store = await connectedStore(sentinels.target, { budgetMs: 50 });
  const { outcome, stop } = load(store, 'ratelimit:{death}');
  await sleep(200);
  sentinels.master.kill('SIGKILL');
  await expect.poll(() => sentinels.masterPort(), { timeout: 15_000 }).toBe(sentinels.replica.port);
  await expect.poll(() => store.prepare(''), { timeout: 5_000, interval: 10 }).toBeUndefined();
  const admittedThen = outcome.admitted;
  await sleep(200);
  await stop();
  expect(outcome.admitted).toBeGreaterThan(admittedThen);
  expect(outcome.longestAwayMs).toBeLessThan(12_000);
});

it('uses the passwords of the sentinels and of the servers, each where it belongs', async () => {
  const sentinels = await started({ password: 's3cret-of-data', sentinelPassword: 's3cret-of-sentinels' });
  await using store = await connectedStore(sentinels.target);
  expect(await take(store, 'ratelimit:{password}')).toMatchObject({ remaining: 4 });

  const { target } = sentinels;
  const wrong = { ...target, sentinel: { master: target.sentinel?.master ?? '', password: 'guess' } };
  await using stranger = new RedisStore({ target: wrong });
  const failure = () => stranger.prepare('').then(() => 'well', String);
  await expect.poll(failure, { timeout: 3_000 }).toMatch(/sentinels are unreachable.*WRONGPASS/);
  expect(await failure()).not.toMatch(/guess|s3cret/);
});

it('finds no master under a name that no sentinel knows', async () => {
  const sentinels = await started();
  const target = { ...sentinels.target, sentinel: { master: 'other', password: undefined } };
  await using store = new RedisStore({ target });
  await expect
    .poll(() => store.prepare('').catch(String), { timeout: 3_000 })
    .toMatch(/sentinels are unreachable/);
});
