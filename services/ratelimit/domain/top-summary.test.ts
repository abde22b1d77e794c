import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpaceSaving } from './space-saving.ts';
import { cutSummary, mergeSummaries, type TopSummary } from './top-summary.ts';

const key = fc.integer({ min: 0, max: 20 });
const stream = fc.array(key, { maxLength: 200 });

function summaryOf(keys: readonly number[], counters: number): TopSummary {
  const counts = new SpaceSaving(counters);
  for (const each of keys) counts.add(`endpoint-${each % 3}`, `user:${each}`);
  return counts.summary();
}

/** That every key's true count lies within what the summary says of it. */
function expectTrue({ entries, floor }: TopSummary, keys: readonly number[]): void {
  for (let each = 0; each <= 20; each += 1) {
    const truth = keys.filter((occurrence) => occurrence === each).length;
    const entry = entries.find(({ identifier }) => identifier === `user:${each}`);
    if (entry === undefined) {
      expect(truth).toBeLessThanOrEqual(floor);
    } else {
      expect(entry.endpoint).toBe(`endpoint-${each % 3}`);
      expect(truth).toBeLessThanOrEqual(entry.count);
      expect(truth).toBeGreaterThanOrEqual(entry.count - entry.error);
    }
  }
}

describe('mergeSummaries', () => {
  it('keeps the true count of every key of all streams within its bounds', () => {
    fc.assert(
      fc.property(
        fc.array(stream, { maxLength: 5 }),
        fc.integer({ min: 1, max: 25 }),
        (streams, counters) => {
          expectTrue(mergeSummaries(streams.map((keys) => summaryOf(keys, counters))), streams.flat());
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is exact where every summary has all of its keys', () => {
    const both = mergeSummaries([summaryOf([1, 1, 2], 10), summaryOf([1, 3], 10)]);
    expect(both.floor).toBe(0);
    expect(both.entries.map(({ identifier, count, error }) => [identifier, count, error])).toEqual([
      ['user:1', 3, 0],
      ['user:2', 1, 0],
      ['user:3', 1, 0],
    ]);
  });

  it('adds the floor of a full summary to count and error of what that does not have', () => {
    const full: TopSummary = {
      floor: 7,
      entries: [{ endpoint: 'a', identifier: 'x', count: 7, error: 2 }],
    };
    const other: TopSummary = { floor: 0, entries: [{ endpoint: 'a', identifier: 'y', count: 1, error: 0 }] };
    expect(mergeSummaries([full, other])).toEqual({
      floor: 7,
      entries: [
        { endpoint: 'a', identifier: 'y', count: 8, error: 7 },
        { endpoint: 'a', identifier: 'x', count: 7, error: 2 },
      ],
    });
  });

  it('tells keys apart whose endpoint and identifier read the same put together', () => {
    const entry = (endpoint: string, identifier: string): TopSummary => ({
      floor: 0,
      entries: [{ endpoint, identifier, count: 1, error: 0 }],
    });
    expect(mergeSummaries([entry('a:', 'b'), entry('a', ':b')]).entries).toHaveLength(2);
  });
});

describe('cutSummary', () => {
  it('keeps the true count of every key within its bounds', () => {
    fc.assert(
      fc.property(
        stream,
        fc.integer({ min: 1, max: 25 }),
        fc.integer({ min: 0, max: 25 }),
        (keys, counters, size) => {
          const cut = cutSummary(summaryOf(keys, counters), size);
          expect(cut.entries.length).toBeLessThanOrEqual(size);
          expectTrue(cut, keys);
        },
      ),
      { numRuns: 500 },
    );
  });
});
