import { describe, expect, it } from 'vitest';
import { SpentIds } from './spent-ids.ts';

describe('ids that may be used once', () => {
  it('are spent once, until they are kept no longer', () => {
    const ids = new SpentIds(10);
    expect([ids.spend('a', 0, 5), ids.spend('a', 1, 5), ids.spend('b', 1, 5)]).toEqual([true, false, true]);
    ids.forget(4, 10);
    expect(ids.spend('a', 4, 9)).toBe(false);
    ids.forget(5, 10);
    expect(ids.spend('a', 5, 9)).toBe(true);
  });

  it('are forgotten in small steps, also behind those that are kept for long', () => {
    const ids = new SpentIds(1_000);
    for (let id = 0; id < 100; id += 1) ids.spend(`long-${id}`, 0, 1_000);
    for (let id = 0; id < 100; id += 1) ids.spend(`short-${id}`, 0, 1);
    for (let step = 0; step < 20; step += 1) ids.forget(2, 10);
    expect(ids.size).toBe(100);
    for (let step = 0; step < 20; step += 1) ids.forget(1_000, 10);
    expect(ids.size).toBe(0);
  });

  it('count as spent where there are as many as may be, until one of those is kept no longer', () => {
    const ids = new SpentIds(2);
    expect([ids.spend('a', 0, 5), ids.spend('b', 0, 9), ids.spend('c', 4, 9)]).toEqual([true, true, false]);
    expect(ids.spend('c', 5, 9)).toBe(true);
    expect(ids.size).toBe(2);
  });

  it('cost no time where a million are kept', () => {
    const ids = new SpentIds(1_000_000);
    for (let id = 0; id < 1_000_000; id += 1) ids.spend(`kept-${id}`, 0, 9);
    const began = performance.now();
    for (let id = 0; id < 1_000; id += 1) expect(ids.spend(`new-${id}`, 0, 9)).toBe(false);
    // To look at all of them takes some 50 ms each time.
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
