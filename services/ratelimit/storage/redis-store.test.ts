import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisTarget, singleRedis } from '../../../runtime/redis-target.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import type { Taken } from '../domain/limit-store.ts';
import { RedisStore } from './redis-store.ts';
import { KeyUnusable } from './store-errors.ts';
import { connectedStore, inspect, killRedis, take } from './testing-redis.ts';
import { askFor, MINUTE_MICROS as MINUTE, termOf } from './testing-terms.ts';

const DAY = 86_400_000_000;

let server: RedisServer;
let target: RedisTarget;

beforeAll(async () => {
  server = await startRedis();
  target = singleRedis(server.url);
});

afterAll(async () => {
  await killRedis(server);
});

async function evalshaCalls(): Promise<number> {
  await using redis = inspect(server.url);
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}

describe('RedisStore', () => {
  it('counts by the clock of Redis', async () => {
    await using store = await connectedStore(target);
    const before = Date.now() * 1000;
    const first = await take(store, 'count', { cost: 2, limit: 3 });
    expect(first).toEqual({
      allowed: true,
      remaining: 1,
      resetMicros: expect.any(Number),
      retryAfterMicros: 0,
    });
    expect(first.resetMicros).toBeGreaterThanOrEqual(before + MINUTE);
    expect(first.resetMicros).toBeLessThan((Date.now() + 1) * 1000 + MINUTE);
    const denied = await take(store, 'count', { cost: 2, limit: 3 });
    expect(denied).toMatchObject({ allowed: false, remaining: 1, resetMicros: first.resetMicros });
    expect(denied.retryAfterMicros).toBeGreaterThan(MINUTE - 2_000_000);
  });

  it('sends the checks of one turn of the event loop in one call, and answers each in its order', async () => {
    await using store = await connectedStore(target);
    const before = await evalshaCalls();
    const states = await Promise.all(Array.from({ length: 30 }, () => take(store, 'turn', { limit: 30 })));
    expect(states.map(({ remaining }) => remaining)).toEqual(
      Array.from({ length: 30 }, (_, index) => 29 - index),
    );
    expect((await evalshaCalls()) - before).toBe(1);
    await Promise.all(Array.from({ length: 80 }, () => take(store, 'turn', { limit: 30 })));
    expect((await evalshaCalls()) - before).toBe(1 + 2);
  });

  it('admits exactly the limit to 50 takers over five connections', async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => connectedStore(target)));
    try {
      const takers = Array.from({ length: 50 }, async (_, taker) => {
        let admitted = 0;
        for (let turn = 0; turn < 10; turn++) {
          const store = stores[taker % stores.length] as RedisStore;
          if ((await take(store, 'crowd', { limit: 137 })).allowed) admitted++;
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
    await using store = await connectedStore(target);
    await using redis = inspect(server.url);
    let admitted = 0;
    for (let turn = 0; turn < 40; turn++) {
      const checks = Array.from({ length: 5 }, () => take(store, 'flushed', { limit: 150 }));
      if (turn % 4 === 0) await redis.script('FLUSH');
      for (const { allowed } of await Promise.all(checks)) if (allowed) admitted++;
    }
    expect(admitted).toBe(150);
    expect(await redis.zcard('flushed')).toBe(150);
  });

  it('fails only the check whose key holds another type', async () => {
    await using store = await connectedStore(target);
    await using redis = inspect(server.url);
    await redis.set('foreign', 'text');
    const [before, foreign, after] = await Promise.allSettled([
      take(store, 'well'),
      take(store, 'foreign'),
      take(store, 'well'),
    ]);
    expect(before).toMatchObject({ value: { remaining: 4 } });
    expect(after).toMatchObject({ value: { remaining: 3 } });
    expect(foreign).toMatchObject({ reason: expect.any(KeyUnusable) });
  });

  it('decides the terms of an ask together, beside other asks of the same call', async () => {
    await using store = await connectedStore(target);
    const wide = termOf('FAIL_OPEN', 'together:{a}', { limit: 10 });
    const narrow = termOf('FAIL_OPEN', 'together:{a}:narrow', { limit: 2 });
    const shadow = termOf('FAIL_OPEN', 'together:{a}!', { limit: 2, shadow: true });
    const all = () => store.decide(askFor([wide, narrow, shadow]));
    const answers = await Promise.all([all(), store.decide(askFor([wide])), all(), all()]);
    const rooms = answers.map((states) => states.map(({ allowed, remaining }) => [allowed, remaining]));
    expect(rooms).toEqual([
      [
        [true, 9],
        [true, 1],
        [true, 1],
      ],
      [[true, 8]],
      [
        [true, 7],
        [true, 0],
        [true, 0],
      ],
      [
        [true, 7],
        [false, 0],
        [false, 0],
      ],
    ]);
    const peeked = await store.decide(askFor([wide, narrow], { peek: true }));
    expect(peeked.map(({ remaining }) => remaining)).toEqual([7, 0]);
  });

  it('sends an ask of more terms than a call usually has by itself', async () => {
    await using store = await connectedStore(target);
    const before = await evalshaCalls();
    const terms = Array.from({ length: 200 }, (_, index) => termOf('FAIL_OPEN', `many:${index}`));
    const [first, states, last] = await Promise.all([
      take(store, 'many:0'),
      store.decide(askFor(terms)),
      take(store, 'many:0'),
    ]);
    expect([first.remaining, states[0]?.remaining, states.length, last.remaining]).toEqual([4, 1, 200, 2]);
    expect((await evalshaCalls()) - before).toBe(3);
  });

  it('gives back once, and only what is still counted', async () => {
    await using store = await connectedStore(target);
    const log = termOf('FAIL_OPEN', 'back:{b}', { cost: 2 });
    const lease = termOf('FAIL_OPEN', 'back:{b}~l', { algorithm: 'CONCURRENCY', limit: 3 });
    const states = await store.decide(askFor([log, lease], { lease: 'op-1' }));
    const parts: Taken[] = [log, lease].map(({ key, limit, cost }, index) => ({
      key,
      limit,
      cost,
      resetMicros: states[index]?.resetMicros ?? 0,
    }));
    expect(await store.refund('op-1', parts)).toEqual([2, 1]);
    expect(await store.refund('op-1', parts)).toEqual([0, 0]);
    const after = await store.decide(askFor([log, lease], { peek: true }));
    expect(after.map(({ remaining }) => remaining)).toEqual([3, 3]);
    await using redis = inspect(server.url);
    const [marker = ''] = await redis.keys('*@op-1');
    expect(await redis.pttl(marker)).toBeGreaterThan(59_000);
    expect(await redis.pttl(marker)).toBeLessThanOrEqual(61_000);
  });

  it('remembers for a second alone what is given back at once and never again', async () => {
    await using store = await connectedStore(target);
    const term = termOf('FAIL_OPEN', 'undone:{u}~f', { algorithm: 'FIXED_WINDOW', windowMicros: 365 * DAY });
    const [state] = await store.decide(askFor([term]));
    const part = { ...term, resetMicros: state?.resetMicros ?? 0 };
    expect(await store.refund('op-u', [part], true)).toEqual([1]);
    await using redis = inspect(server.url);
    const [marker = ''] = await redis.keys('*@op-u');
    expect(await redis.pttl(marker)).toBeLessThanOrEqual(1_000);
  });

  it('gives back once also where the first part is gone meanwhile, as by an edit of its rule', async () => {
    await using store = await connectedStore(target);
    const daily = { algorithm: 'FIXED_WINDOW', windowMicros: 86_400_000_000, cost: 1 } as const;
    const terms = ['a', 'b'].map((name) => termOf('FAIL_OPEN', `edited:{e}:${name}~f`, daily));
    await store.decide(askFor(terms));
    const states = await store.decide(askFor(terms));
    const parts = terms.map((term, at) => ({ ...term, resetMicros: states[at]?.resetMicros ?? 0 }));
    expect(await store.refund('op-e', parts)).toEqual([1, 1]);
    expect(await store.refund('op-e', parts.slice(1))).toEqual([0]);
  });

  it('renews a lease that is alive, and no other', async () => {
    await using store = await connectedStore(target);
    const lease = termOf('FAIL_OPEN', 'lease~l', { algorithm: 'CONCURRENCY', windowMicros: 200_000 });
    const [state] = await store.decide(askFor([lease], { lease: 'op-2' }));
    const parts: Taken[] = [{ ...lease, resetMicros: state?.resetMicros ?? 0 }];
    const [ends] = await store.renew('op-2', parts);
    expect(ends).toBeGreaterThanOrEqual(state?.resetMicros ?? Number.NaN);
    expect(await store.renew('op-3', parts)).toEqual([0]);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(await store.renew('op-2', parts)).toEqual([0]);
  });

  it('forgets keys, and tells how many there were', async () => {
    await using store = await connectedStore(target);
    await Promise.all([take(store, 'forget:1'), take(store, 'forget:2')]);
    expect(await store.reset(['forget:1', 'forget:2', 'forget:3'])).toBe(2);
    expect((await take(store, 'forget:1')).remaining).toBe(4);
  });

  it('settles before what is asked after it, also with the scripts flushed', async () => {
    await using store = await connectedStore(target);
    await using redis = inspect(server.url);
    await redis.script('FLUSH');
    const before = take(store, 'settled');
    const { limit } = termOf('FAIL_OPEN', 'settled', { limit: 5 });
    const settling = store.settle([{ key: 'settled', limit, debt: [1_000, 3] }]);
    const after = take(store, 'settled');
    const last = take(store, 'settled');
    await settling;
    expect(await before).toMatchObject({ allowed: true });
    expect(await after).toMatchObject({ allowed: true, remaining: 0 });
    expect(await last).toMatchObject({ allowed: false });
  });

  it.each([true, false])(
    'settles a log of 100,000 units, each of a time of its own (in order: %s)',
    async (inOrder) => {
      await using store = await connectedStore(singleRedis(server.url));
      const term = termOf('FAIL_LOCAL', `long-${inOrder}`, { limit: 100_000, windowMicros: 3_600_000_000 });
      const debt = Array.from({ length: 200_000 }, (_, at) => (at % 2 === 0 ? 1_000_000 - at : 1));
      await store.settle([{ key: term.key, limit: term.limit, debt }], inOrder);
      const [state] = await store.decide(askFor([term], { peek: true }));
      expect(state).toMatchObject({ allowed: false, remaining: 0 });
    },
  );

  it('tells of a key that could not be settled, and settles the others', async () => {
    const unusable: KeyUnusable[] = [];
    await using store = await connectedStore(target, { onKeyUnusable: (error) => unusable.push(error) });
    await using redis = inspect(server.url);
    await redis.set('foreign-debt', 'text');
    const { limit } = termOf('FAIL_OPEN', 'any', { limit: 5 });
    const debt = [1_000, 3];
    await store.settle([
      { key: 'foreign-debt', limit, debt },
      { key: 'own-debt', limit, debt },
    ]);
    expect(String(unusable)).toMatch(/WRONGTYPE/);
    expect((await take(store, 'own-debt')).remaining).toBe(1);
  });

  it('lets a check pass whose shadow limit alone can not be counted, and tells of that', async () => {
    const unusable: KeyUnusable[] = [];
    await using store = await connectedStore(target, { onKeyUnusable: (error) => unusable.push(error) });
    await using redis = inspect(server.url);
    await redis.set('shadow!', 'text');
    const states = await store.decide(
      askFor([termOf('FAIL_OPEN', 'light'), termOf('FAIL_OPEN', 'shadow!', { shadow: true })]),
    );
    expect(states).toMatchObject([
      { allowed: true, remaining: 2 },
      { allowed: true, remaining: 3 },
    ]);
    expect(unusable).toMatchObject([{ message: expect.stringMatching(/WRONGTYPE/) }]);
  });

  it('probes on a connection of its own', async () => {
    await using store = await connectedStore(target);
    expect(await store.ping('')).toBeLessThan(1_000);
    await using redis = inspect(server.url);
    const clients = (await redis.client('LIST')) as string;
    expect(clients).toMatch(/name=ratelimit-checks .*cmd=eval/);
    expect(clients).toMatch(/name=ratelimit-probes .*cmd=ping/);
  });

  it('uses the database number and the password of the URL, and tells neither in errors', async () => {
    await using own = await startRedis();
    await using admin = inspect(own.url);
    await admin.config('SET', 'requirepass', 's3cret&more');
    const url = `redis://:s3cret%26more@127.0.0.1:${own.port}/3`;
    await using store = await connectedStore(singleRedis(url));
    await take(store, 'in-three');
    await admin.select(3);
    expect(await admin.exists('in-three')).toBe(1);

    await using wrong = new RedisStore({ target: singleRedis(url.replace('more', 'less')) });
    await expect.poll(() => wrong.ping('').catch(String), { timeout: 2_000 }).toMatch(/WRONGPASS/);
    expect(String(await wrong.ping('').catch(String))).not.toContain('s3cret');
  });
});
