import { describe, expect, it } from 'vitest';
import { ALGORITHMS, type Algorithm } from '../domain/algorithm.ts';
import { defineLimit, type LimitDefinition } from '../domain/limit.ts';
import { Debts } from './debts.ts';

const T = 1_700_000_000_000_000;
const SECOND = 1_000_000;

function limitOf(definition: Partial<LimitDefinition>) {
  return defineLimit({ limit: 10, windowMicros: 10 * SECOND, ...definition }, (field, description) => {
    throw new Error(`${field} ${description}`);
  });
}
const LOG = limitOf({});

function debtsAt(maxKeys?: number) {
  const world = { now: T, lane: (_key: string) => 'a' };
  const debts = new Debts({
    clock: () => world.now,
    laneOf: (key) => world.lane(key),
    ...(maxKeys === undefined ? {} : { maxKeys }),
  });
  return { world, debts };
}

function all(debts: Debts, lane = 'a') {
  return debts.collect(lane, 1_000_000)?.entries ?? [];
}

describe('Debts', () => {
  it.each<[Algorithm, readonly (number | string)[]]>([
    ['SLIDING_WINDOW_LOG', [2 * SECOND, 2, SECOND, 3]],
    // As old as the last µs of the part that they are in.
    ['SLIDING_WINDOW_COUNTER', [SECOND + 1, 2, 1, 3]],
    ['FIXED_WINDOW', [SECOND, 5]],
    ['TOKEN_BUCKET', [3]],
    ['CONCURRENCY', ['one', 2, 8 * SECOND, 'two', 3, 9 * SECOND]],
  ])('owes what was taken, less what has run out since, with its age: %s', (algorithm, debt) => {
    const { world, debts } = debtsAt();
    const limit = limitOf({ algorithm });
    debts.add({ key: 'k', limit, cost: 2 }, 'one');
    world.now += SECOND;
    debts.add({ key: 'k', limit, cost: 3 }, 'two');
    world.now += SECOND;
    expect(all(debts)).toEqual([{ key: 'k', limit, debt }]);
    expect(debts.size).toBe(0);
    expect(all(debts)).toEqual([]);
  });

  it.each(ALGORITHMS)('owes nothing any more once all of it has run out: %s', (algorithm) => {
    const { world, debts } = debtsAt();
    debts.add({ key: 'k', limit: limitOf({ algorithm }), cost: 2 }, 'one');
    world.now += 20 * SECOND;
    expect(all(debts)).toEqual([]);
    debts.add({ key: 'k', limit: limitOf({ algorithm }), cost: 2 }, 'one');
    expect(debts.size).toBe(1);
    world.now += 20 * SECOND;
    debts.sweep();
    expect(debts.size).toBe(0);
  });

  it.each(ALGORITHMS)('takes back what could not be settled, as old as it then is: %s', (algorithm) => {
    const [failed, spared] = [debtsAt(), debtsAt()];
    const limit = limitOf({ algorithm });
    // Leases have no order.
    const sorted = (debts: Debts) => all(debts).map(({ debt }) => [...debt].sort());
    for (const { world, debts } of [failed, spared]) {
      debts.add({ key: 'k', limit, cost: 4 }, 'one');
      world.now += SECOND;
    }
    const batch = failed.debts.collect('a', 100);
    for (const { world, debts } of [failed, spared]) {
      world.now += SECOND;
      debts.add({ key: 'k', limit, cost: 1 }, 'two');
    }
    if (batch !== undefined) failed.debts.putBack(batch);
    for (const { world } of [failed, spared]) world.now += SECOND;
    expect(sorted(failed.debts)).toEqual(sorted(spared.debts));
  });

  it('hands out in batches what takes long to write, and loses none of it', () => {
    const { debts } = debtsAt();
    // A log of 10 weighs 30, since all of it may have to be written anew; one of 1,000 is a batch by itself.
    debts.add({ key: 'large', limit: limitOf({ limit: 1_000 }), cost: 25 }, '');
    for (let key = 0; key < 25; key += 1) debts.add({ key: `small-${key}`, limit: LOG, cost: 1 }, '');
    const batches = [];
    for (let batch = debts.collect('a', 300); batch !== undefined; batch = debts.collect('a', 300)) {
      batches.push([batch.entries.length, batch.isLast]);
    }
    expect(batches).toEqual([
      [1, false],
      [10, false],
      [10, false],
      [5, true],
    ]);
  });

  it('keeps lanes apart, and follows a key to another lane', () => {
    const { world, debts } = debtsAt();
    world.lane = (key) => key.charAt(0);
    debts.add({ key: 'a-1', limit: LOG, cost: 1 }, '');
    debts.add({ key: 'b-1', limit: LOG, cost: 1 }, '');
    debts.add({ key: 'b-2', limit: LOG, cost: 1 }, '');
    expect([debts.sizeOf('a'), debts.sizeOf('b')]).toEqual([1, 2]);
    world.lane = (key) => (key === 'b-1' ? 'c' : 'a');
    expect(all(debts, 'b').map(({ key }) => key)).toEqual([]);
    expect(all(debts, 'c').map(({ key }) => key)).toEqual(['b-1']);
    expect(all(debts).map(({ key }) => key)).toEqual(['a-1', 'b-2']);
  });

  it('keeps the keys that no lane is known for, until one is', () => {
    const { world, debts } = debtsAt();
    world.lane = () => '';
    debts.add({ key: 'k', limit: LOG, cost: 2 }, '');
    for (let tick = 0; tick < 3; tick += 1) debts.followLanes(['a']);
    expect([debts.size, debts.sizeOf('')]).toEqual([1, 1]);
    world.lane = () => 'a';
    debts.followLanes(['a']);
    expect(all(debts)).toEqual([{ key: 'k', limit: LOG, debt: [0, 2] }]);
  });

  it('gives the keys of a lane that is no more to the lanes that they belong to now', () => {
    const { world, debts } = debtsAt();
    debts.add({ key: 'k', limit: LOG, cost: 3 }, '');
    world.lane = () => 'b';
    debts.followLanes(['b', 'c']);
    expect([debts.size, debts.sizeOf('a')]).toEqual([1, 0]);
    expect(all(debts, 'b')).toEqual([{ key: 'k', limit: LOG, debt: [0, 3] }]);
  });

  it('is less by what is given back; a bucket’s debt is not, since how much of it has refilled is not known', () => {
    const { world, debts } = debtsAt();
    const bucket = limitOf({ algorithm: 'TOKEN_BUCKET' });
    debts.add({ key: 'k', limit: LOG, cost: 3 }, 'one');
    debts.add({ key: 'bucket', limit: bucket, cost: 3 }, 'one');
    world.now += SECOND;
    const resetMicros = T + 10 * SECOND;
    expect(debts.refund({ key: 'k', limit: LOG, cost: 2, resetMicros }, 'one')).toBe(2);
    expect(debts.refund({ key: 'bucket', limit: bucket, cost: 2, resetMicros }, 'one')).toBe(0);
    expect(debts.refund({ key: 'other', limit: LOG, cost: 2, resetMicros }, 'one')).toBe(0);
    expect(all(debts).map(({ debt }) => debt)).toEqual([[SECOND, 1], [2]]);
  });

  it('prolongs leases that are owed, and knows no others', () => {
    const { world, debts } = debtsAt();
    const limit = limitOf({ algorithm: 'CONCURRENCY' });
    debts.add({ key: 'k', limit, cost: 2 }, 'one');
    world.now += SECOND;
    const part = { key: 'k', limit, cost: 2, resetMicros: 1 };
    expect(debts.renew(part, 'one')).toBe(world.now + 10 * SECOND);
    expect(debts.renew(part, 'two')).toBe(0);
    expect(all(debts)[0]?.debt).toEqual(['one', 2, 10 * SECOND]);
  });

  it('forgets keys', () => {
    const { debts } = debtsAt();
    for (const key of ['k', 'l']) debts.add({ key, limit: LOG, cost: 3 }, '');
    debts.forget(['k', 'never there']);
    expect(all(debts).map(({ key }) => key)).toEqual(['l']);
  });

  it('beyond its bound drops the key that has owed longest', () => {
    const { debts } = debtsAt(3);
    for (const key of ['1', '2', '3', '1', '4']) debts.add({ key, limit: LOG, cost: 1 }, '');
    expect(debts.size).toBe(3);
    expect(all(debts).map(({ key }) => key)).toEqual(['2', '3', '4']);
  });
});
