import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimeOrder } from './time-order.ts';

interface Item {
  readonly timeMicros: number;
  readonly index: number;
}

function pass(
  times: readonly number[],
  order: TimeOrder<Item>,
): { readonly out: Item[]; readonly late: Item[] } {
  const [out, late]: [Item[], Item[]] = [[], []];
  for (const [index, timeMicros] of times.entries()) {
    const item = { timeMicros, index };
    if (!order.add(item)) late.push(item);
    for (let next = order.next(); next !== undefined; next = order.next()) out.push(next);
  }
  for (let next = order.nextOfRest(); next !== undefined; next = order.nextOfRest()) out.push(next);
  return { out, late };
}

describe('TimeOrder', () => {
  it('sorts what comes within the window, as a stable sort of the whole does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (jitters) => {
        const times = jitters.map((jitter, index) => index * 3 + jitter);
        const { out, late } = pass(times, new TimeOrder(20));
        const sorted = times.map((timeMicros, index) => ({ timeMicros, index }));
        expect(out).toEqual(sorted.sort((a, b) => a.timeMicros - b.timeMicros));
        expect(late).toEqual([]);
      }),
    );
  });

  it('gives anything out in order, or tells that it is late', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1_000 })),
        fc.nat(50),
        fc.nat(20),
        (times, window, held) => {
          const { out, late } = pass(times, new TimeOrder(window, held));
          expect(out.length + late.length).toBe(times.length);
          for (const [index, { timeMicros }] of out.entries()) {
            expect(timeMicros).toBeGreaterThanOrEqual(out[index - 1]?.timeMicros ?? 0);
          }
        },
      ),
    );
  });

  it('counts what it sorted, and leaves out what is late', () => {
    const order = new TimeOrder<Item>(10);
    const { late } = pass([100, 95, 120, 99, 121], order);
    expect(late.map(({ timeMicros }) => timeMicros)).toEqual([99]);
    expect(order.sorted).toBe(1);
  });
});
