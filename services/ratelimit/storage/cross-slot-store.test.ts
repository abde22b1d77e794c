import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisCluster, startRedisCluster } from '../../../testing/redis-cluster.ts';
import type { CheckTerm } from '../domain/check-plan.ts';
import { isAllowed } from '../domain/decision.ts';
import { type DecisionStore, DirectStore, type Verdict } from '../domain/decision-store.ts';
import { StoreAway } from '../domain/errors.ts';
import { CrossSlotStore } from './cross-slot-store.ts';
import { keySlot } from './key-slot.ts';
import type { RedisStore } from './redis-store.ts';
import { connectedStore } from './testing-redis.ts';
import { askFor, termOf } from './testing-terms.ts';

let cluster: RedisCluster;
let redis: RedisStore;
let tests = 0;

beforeAll(async () => {
  cluster = await startRedisCluster();
  redis = await connectedStore(cluster.target);
});

afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

function storeOver(store: DecisionStore = new DirectStore(redis), onNotGivenBack?: (error: unknown) => void) {
  return new CrossSlotStore({ store, slotOf: keySlot, ...(onNotGivenBack && { onNotGivenBack }) });
}

/** Limits of 3 a minute for a user and an address, which are in different slots, in keys that no other test uses. */
function keys() {
  tests++;
  const [user, address] = [`ratelimit:api:{user:${tests}}`, `ratelimit:api:{ip:${tests}}`];
  expect(keySlot(user)).not.toBe(keySlot(address));
  return { user, address };
}

async function remaining(...terms: readonly CheckTerm[]): Promise<readonly number[]> {
  const { states } = await storeOver().decide(askFor(terms, { peek: true }));
  return states.map((state) => state.remaining);
}

async function contentOf(key: string): Promise<unknown[]> {
  const { admin } = await cluster.ownerOf(keySlot(key));
  return [await admin.dumpBuffer(key), await admin.pexpiretime(key)];
}

describe('CrossSlotStore', () => {
  it('takes of all slots where each has room, and answers in the order of the ask', async () => {
    const { user, address } = keys();
    const terms = [
      termOf('FAIL_OPEN', user, { limit: 5 }),
      termOf('FAIL_OPEN', address, { cost: 2 }),
      termOf('FAIL_OPEN', `${user}:second`, { limit: 9 }),
    ];
    const { source, states } = await storeOver().decide(askFor(terms));
    expect(source).toBe('REDIS');
    expect(states.map((state) => [state.allowed, state.remaining])).toEqual([
      [true, 4],
      [true, 1],
      [true, 8],
    ]);
  });

  it('takes nothing where one slot has no room, and says what each has', async () => {
    const { user, address } = keys();
    const [wide, narrow] = [termOf('FAIL_OPEN', user, { limit: 50 }), termOf('FAIL_OPEN', address)];
    for (let turn = 0; turn < 5; turn++) {
      const { states } = await storeOver().decide(askFor([wide, narrow]));
      expect(states.map((state) => state.allowed)).toEqual([true, turn < 3]);
      expect(states[0]?.remaining).toBe(turn < 3 ? 49 - turn : 47);
    }
    expect(await remaining(wide, narrow)).toEqual([47, 0]);
  });

  it('tells which keys have room again after what a denied ask had taken was given back, and no others', async () => {
    const { user, address } = keys();
    const told: (readonly string[])[] = [];
    const store = new CrossSlotStore({
      store: new DirectStore(redis),
      slotOf: keySlot,
      onGivenBack: (given) => told.push(given),
    });
    const terms = [termOf('FAIL_OPEN', user, { limit: 50 }), termOf('FAIL_OPEN', address, { limit: 1 })];
    await store.decide(askFor(terms));
    expect(told).toEqual([]);
    await store.decide(askFor(terms));
    expect(told).toEqual([[user]]);
  });

  it('gives back leases too, under the id that the ask has or under one of its own', async () => {
    const { user, address } = keys();
    const held = termOf('FAIL_OPEN', `${user}~l`, { algorithm: 'CONCURRENCY' });
    const narrow = termOf('FAIL_OPEN', address, { limit: 1 });
    await storeOver().decide(askFor([narrow]));
    await storeOver().decide(askFor([held, narrow], { lease: 'op-1' }));
    expect(await remaining(held)).toEqual([3]);
    const counted = termOf('FAIL_OPEN', user);
    await storeOver().decide(askFor([counted, narrow]));
    expect(await remaining(counted)).toEqual([3]);
  });

  it.each([
    'SLIDING_WINDOW_LOG',
    'SLIDING_WINDOW_COUNTER',
    'TOKEN_BUCKET',
    'FIXED_WINDOW',
    'CONCURRENCY',
  ] as const)('never admits too much of %s to many at once, and leaves no unit behind', async (algorithm) => {
    const { user, address } = keys();
    const definition = { algorithm, limit: 40, windowMicros: 3_600_000_000 };
    const first = termOf('FAIL_OPEN', user, definition);
    const second = termOf('FAIL_OPEN', address, { ...definition, limit: 25 });
    const store = storeOver();
    let admitted = 0;
    for (let turn = 0; turn < 8; turn++) {
      const verdicts = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.decide(askFor([first, second], { lease: `op-${turn}-${index}` })),
        ),
      );
      for (const { states } of verdicts) if (isAllowed([first, second], states)) admitted++;
    }
    // With nobody else under way what is left can be had.
    while (admitted < 25) {
      const { states } = await store.decide(askFor([first, second], { lease: `last-${admitted}` }));
      expect(isAllowed([first, second], states)).toBe(true);
      admitted++;
    }
    expect(admitted).toBe(25);
    expect(await remaining(first, second)).toEqual([15, 0]);
  });

  it('peeks without a trace', async () => {
    const { user, address } = keys();
    const terms = [termOf('FAIL_OPEN', user), termOf('FAIL_OPEN', address)];
    await storeOver().decide(askFor(terms));
    const before = [await contentOf(user), await contentOf(address)];
    const { states } = await storeOver().decide(askFor(terms, { peek: true }));
    expect(states.map((state) => state.remaining)).toEqual([2, 2]);
    expect([await contentOf(user), await contentOf(address)]).toEqual(before);
  });

  it('counts shadows only where all that is enforced has room, and enforces none', async () => {
    const { user, address } = keys();
    const enforced = termOf('FAIL_OPEN', user, { limit: 2 });
    const shadow = termOf('FAIL_OPEN', `${address}!`, { limit: 50, shadow: true });
    const full = termOf('FAIL_OPEN', `${user}!`, { limit: 1, shadow: true });
    for (let turn = 0; turn < 4; turn++) await storeOver().decide(askFor([shadow, enforced]));
    expect(await remaining(enforced, shadow)).toEqual([0, 48]);
    const { address: other } = keys();
    const free = termOf('FAIL_OPEN', other, { limit: 9 });
    for (let turn = 0; turn < 3; turn++) {
      const { states } = await storeOver().decide(askFor([free, full, shadow]));
      expect(states.map((state) => state.allowed)).toEqual([true, turn < 1, true]);
    }
    // The second and third time the shadows as a group had no room.
    expect(await remaining(free, full, shadow)).toEqual([6, 0, 47]);
  });

  it('refunds, renews and resets over slots', async () => {
    const { user, address } = keys();
    const terms = [user, address].map((key) => termOf('FAIL_OPEN', `${key}~l`, { algorithm: 'CONCURRENCY' }));
    const store = storeOver();
    const { states } = await store.decide(askFor(terms, { lease: 'op' }));
    const parts = terms.map((term, index) => ({ ...term, resetMicros: states[index]?.resetMicros ?? 0 }));
    const ends = await store.renew('op', parts, 'REDIS');
    expect(ends.every((end, index) => end >= (states[index]?.resetMicros ?? 0))).toBe(true);
    expect(await store.refund('op', parts, 'REDIS')).toEqual([1, 1]);
    expect(await store.refund('op', parts, 'REDIS')).toEqual([0, 0]);
    await store.decide(askFor(terms, { lease: 'op-2' }));
    expect(await store.reset(terms.map(({ key }) => key))).toBe(2);
  });

  it('leaves nothing in the store of an ask that was denied, but for a moment', async () => {
    const { user, address } = keys();
    const day = { algorithm: 'FIXED_WINDOW', windowMicros: 86_400_000_000, limit: 1 } as const;
    const [first, full] = [termOf('FAIL_OPEN', user, day), termOf('FAIL_OPEN', address, day)];
    await storeOver().decide(askFor([full]));
    await storeOver().decide(askFor([first, full]));
    const { admin } = await cluster.ownerOf(keySlot(user));
    const markers = await admin.keys('ratelimit:{*}@*');
    const here = markers.filter((key) => keySlot(key) === keySlot(user));
    expect(here).toHaveLength(1);
    expect(await admin.pttl(here[0] ?? '')).toBeLessThanOrEqual(1_000);
  });

  it('gives the worst source, and gives back where one part was refused for want of Redis', async () => {
    const { user, address } = keys();
    const inner = new DirectStore(redis);
    const closed: Verdict = {
      source: 'FALLBACK_CLOSED',
      states: [{ allowed: false, remaining: 0, resetMicros: 1, retryAfterMicros: 1_000_000 }],
    };
    const half: DecisionStore = {
      decide: (ask) => (ask.terms[0]?.key === address ? closed : inner.decide(ask)),
      refund: (id, parts) => inner.refund(id, parts),
      renew: (id, parts) => inner.renew(id, parts),
      reset: (all) => inner.reset(all),
    };
    const counted = termOf('FAIL_CLOSED', user);
    const verdict = await storeOver(half).decide(askFor([counted, termOf('FAIL_CLOSED', address)]));
    expect(verdict).toMatchObject({
      source: 'FALLBACK_CLOSED',
      states: [{ allowed: true, remaining: 3 }, { allowed: false }],
    });
    expect(await remaining(counted)).toEqual([3]);
  });

  it('tells of units that could not be given back, which then stay until their window is over', async () => {
    const { user, address } = keys();
    const inner = new DirectStore(redis);
    const stuck: DecisionStore = {
      decide: (ask) => inner.decide(ask),
      refund: () => Promise.reject(new StoreAway('gone')),
      renew: (id, parts) => inner.renew(id, parts),
      reset: (all) => inner.reset(all),
    };
    const failures: unknown[] = [];
    const [first, second] = [termOf('FAIL_OPEN', user), termOf('FAIL_OPEN', address, { limit: 1 })];
    await storeOver().decide(askFor([second]));
    const verdict = await storeOver(stuck, (error) => failures.push(error)).decide(askFor([first, second]));
    expect(verdict.states.map(({ allowed }) => allowed)).toEqual([true, false]);
    expect(failures).toMatchObject([{ message: 'gone' }]);
    expect(await remaining(first)).toEqual([2]);
  });

  it('is not in the way of asks within one slot', async () => {
    const { user } = keys();
    const calls: number[] = [];
    const inner = new DirectStore(redis);
    const counting: DecisionStore = {
      decide: (ask) => {
        calls.push(ask.terms.length);
        return inner.decide(ask);
      },
      refund: (id, parts) => inner.refund(id, parts),
      renew: (id, parts) => inner.renew(id, parts),
      reset: (all) => inner.reset(all),
    };
    await storeOver(counting).decide(
      askFor([termOf('FAIL_OPEN', user), termOf('FAIL_OPEN', `${user}!`, { shadow: true })]),
    );
    expect(calls).toEqual([2]);
  });
});
