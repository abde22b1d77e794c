import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpaceSaving } from './space-saving.ts';

type Key = readonly [endpoint: string, identifier: string];

const key = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 30 }).map(String));
/** Some keys come often and most seldom, as callers do. */
const stream = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: key },
    { weight: 1, arbitrary: fc.constantFrom<Key>(['a', '0'], ['b', '1']) },
  ),
  {
    maxLength: 400,
  },
);

describe('SpaceSaving', () => {
  it('keeps the bounds of the paper after every occurrence', () => {
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 40 }), (keys, maxCounters) => {
        const counts = new SpaceSaving(maxCounters);
        const exact = new Map<string, number>();
        for (const [index, [endpoint, identifier]] of keys.entries()) {
          counts.add(endpoint, identifier);
          const name = `${endpoint} ${identifier}`;
          exact.set(name, (exact.get(name) ?? 0) + 1);
          if (index % 7 === 0 || index === keys.length - 1)
            expectBounds(counts, exact, index + 1, maxCounters);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is exact while there are counters for all keys', () => {
    const counts = new SpaceSaving(3);
    for (const identifier of ['x', 'y', 'x', 'z', 'x', 'y']) counts.add('a', identifier);
    expect(counts.summary()).toEqual({
      floor: 1,
      entries: [
        { endpoint: 'a', identifier: 'x', count: 3, error: 0 },
        { endpoint: 'a', identifier: 'y', count: 2, error: 0 },
        { endpoint: 'a', identifier: 'z', count: 1, error: 0 },
      ],
    });
  });

  it('gives the lowest counter to a new key, which inherits its count as error', () => {
    const counts = new SpaceSaving(2);
    for (const identifier of ['x', 'x', 'x', 'y', 'y', 'z']) counts.add('a', identifier);
    expect(counts.summary().entries).toEqual([
      expect.objectContaining({ count: 3 }),
      expect.objectContaining({ count: 3 }),
    ]);
    expect(counts.summary().entries).toContainEqual({ endpoint: 'a', identifier: 'z', count: 3, error: 2 });
    expect(counts.summary().entries).toContainEqual({ endpoint: 'a', identifier: 'x', count: 3, error: 0 });
  });

  it('finds the frequent among a million others', () => {
    const counts = new SpaceSaving(1_000);
    for (let turn = 0; turn < 1_000_000; turn += 1) {
      counts.add(`endpoint-${turn % 50}`, `ip:${turn}`);
      if (turn % 500 === 0) counts.add('auth_login', 'ip:attacker');
    }
    const { entries } = counts.summary();
    expect(entries).toHaveLength(1_000);
    expect(entries[0]).toMatchObject({ endpoint: 'auth_login', identifier: 'ip:attacker' });
    expect(entries[0]?.count).toBeGreaterThanOrEqual(2_000);
    expect((entries[0]?.count ?? 0) - (entries[0]?.error ?? 0)).toBeLessThanOrEqual(2_000);
  });

  it('keeps its memory where every endpoint is new', () => {
    const counts = new SpaceSaving(10);
    for (let turn = 0; turn < 1_000; turn += 1) counts.add(`endpoint-${turn}`, 'x');
    expect(counts.summary().entries).toHaveLength(10);
    expect(counts.endpoints).toBe(10);
  });
});

function expectBounds(
  counts: SpaceSaving,
  exact: ReadonlyMap<string, number>,
  occurrences: number,
  maxCounters: number,
): void {
  const { entries, floor } = counts.summary();
  expect(entries.length).toBe(Math.min(exact.size, maxCounters));
  expect(entries.reduce((sum, { count }) => sum + count, 0)).toBe(occurrences);
  expect(entries.map(({ count }) => count)).toEqual(entries.map(({ count }) => count).sort((a, b) => b - a));
  expect(floor).toBeLessThanOrEqual(occurrences / maxCounters);
  const held = new Map(entries.map((entry) => [`${entry.endpoint} ${entry.identifier}`, entry]));
  expect(held.size).toBe(entries.length);
  for (const [name, truth] of exact) {
    const entry = held.get(name);
    if (entry === undefined) {
      expect(truth).toBeLessThanOrEqual(occurrences / maxCounters);
      expect(truth).toBeLessThanOrEqual(floor);
    } else {
      expect(entry.error).toBeLessThanOrEqual(occurrences / maxCounters);
      expect(truth).toBeLessThanOrEqual(entry.count);
      expect(truth).toBeGreaterThanOrEqual(entry.count - entry.error);
    }
  }
}
