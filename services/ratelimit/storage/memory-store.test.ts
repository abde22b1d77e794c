import { describe, expect, it } from 'vitest';
import { epochMicros } from '../domain/clock.ts';
import { MemoryStore } from './memory-store.ts';

const T = 1_700_000_000_000_000;
const SECOND = 1_000_000;

function storeAt(start: number, maxKeys?: number) {
  const time = { now: start };
  const store = new MemoryStore({ clock: () => time.now, ...(maxKeys === undefined ? {} : { maxKeys }) });
  return { time, store };
}

describe('MemoryStore', () => {
  it('counts each key by the sliding-window log, without a promise', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    expect(store.take('a', 2, 2, SECOND)).toEqual({
      allowed: true,
      remaining: 0,
      resetMicros: T + SECOND,
      retryAfterMicros: 0,
    });
    expect(store.take('a', 1, 2, SECOND)).toMatchObject({ allowed: false, retryAfterMicros: SECOND });
    expect(store.take('b', 1, 2, SECOND)).toMatchObject({ allowed: true, remaining: 1 });
    time.now += SECOND;
    expect(store.take('a', 1, 2, SECOND)).toMatchObject({ allowed: true, remaining: 1 });
  });

  it('has a clock of whole microseconds since the epoch that never goes back', () => {
    const times = Array.from({ length: 1_000 }, () => epochMicros());
    expect(times.every(Number.isSafeInteger)).toBe(true);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.abs(epochMicros() / 1000 - Date.now())).toBeLessThan(1_000);
  });

  it('drops a key once its newest unit is dead, in steps', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    for (let key = 0; key < 10; key++) store.take(`short-${key}`, 1, 5, SECOND);
    for (let key = 0; key < 10; key++) store.take(`long-${key}`, 1, 5, 60 * SECOND);
    time.now += SECOND - 1;
    store.sweep(20);
    expect(store.size).toBe(20);
    time.now += 1;
    store.sweep(15);
    store.sweep(5);
    expect(store.size).toBe(10);
    expect(store.take('long-0', 1, 5, 60 * SECOND)).toMatchObject({ remaining: 3 });
  });

  it('keeps a denied key no longer than its units live', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    store.take('a', 1, 1, SECOND);
    time.now += SECOND / 2;
    store.take('a', 1, 1, SECOND);
    time.now += SECOND / 2;
    store.sweep();
    expect(store.size).toBe(0);
  });

  it('comes round to keys that died behind the sweep, however many new ones come meanwhile', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    for (let key = 0; key < 100; key++) store.take(`early-${key}`, 1, 5, SECOND);
    store.sweep(50);
    time.now += SECOND;
    for (let round = 0; round < 30; round++) {
      // As many come as each step looks at, so the end of the map is never reached.
      for (let key = 0; key < 10; key++) store.take(`late-${round}-${key}`, 1, 5, 60 * SECOND);
      store.sweep(10);
    }
    expect(store.size).toBe(300);
  });

  it('never holds more than its bound: the dead go first', () => {
    const { time, store } = storeAt(T, 4);
    using _ = store;
    store.take('long', 1, 5, 60 * SECOND);
    store.take('short-1', 1, 5, SECOND);
    store.take('short-2', 1, 5, SECOND);
    store.take('short-3', 1, 5, SECOND);
    time.now += SECOND;
    store.take('new', 1, 5, SECOND);
    expect(store.size).toBe(2);
    expect(store.take('long', 1, 5, 60 * SECOND)).toMatchObject({ remaining: 3 });
  });

  it('never holds more than its bound: of the living, the one goes that would be dead first', () => {
    const { time, store } = storeAt(T, 3);
    using _ = store;
    for (const key of ['first', 'second', 'third']) {
      store.take(key, 1, 5, SECOND);
      time.now += 1;
    }
    store.take('first', 1, 5, SECOND);
    store.take('new', 1, 5, SECOND);
    expect(store.size).toBe(3);
    expect(store.take('first', 1, 5, SECOND)).toMatchObject({ remaining: 2 });
    expect(store.take('third', 1, 5, SECOND)).toMatchObject({ remaining: 3 });
    expect(store.take('second', 1, 5, SECOND)).toMatchObject({ remaining: 4 });
  });

  it('stays at its bound, and fast, under a flood of new keys', () => {
    const { store } = storeAt(T, 1_000);
    using _ = store;
    const start = performance.now();
    for (let key = 0; key < 50_000; key++) store.take(`flood-${key}`, 1, 5, 60 * SECOND);
    expect(store.size).toBe(1_000);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('sweeps by itself', async () => {
    using store = new MemoryStore();
    store.take('a', 1, 5, 1_000);
    await expect.poll(() => store.size, { timeout: 1_000 }).toBe(0);
  });
});
