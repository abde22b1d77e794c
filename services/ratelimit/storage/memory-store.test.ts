import { describe, expect, it } from 'vitest';
import { epochMicros } from '../domain/clock.ts';
import { DirectStore } from '../domain/decision-store.ts';
import type { LimitState } from '../domain/limit-store.ts';
import { Limiter } from '../domain/limiter.ts';
import { rulesOf } from '../domain/testing-decisions.ts';
import { limitOf } from '../domain/testing-limit.ts';
import { MemoryStore } from './memory-store.ts';

const T = 1_700_000_000_000_000;
const SECOND = 1_000_000;

function storeAt(start: number, maxKeys?: number) {
  const time = { now: start };
  const store = new MemoryStore({ clock: () => time.now, ...(maxKeys === undefined ? {} : { maxKeys }) });
  return { time, store };
}

/** Asks a single log. */
function take(
  store: MemoryStore,
  key: string,
  cost: number,
  limit: number,
  windowMicros: number,
): LimitState {
  const terms = [{ key, cost, limit: limitOf({ limit, windowMicros }) }];
  return store.decide({ terms, peek: false, lease: '' })[0] as LimitState;
}

describe('MemoryStore', () => {
  it('counts each key by the sliding-window log, without a promise', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    expect(take(store, 'a', 2, 2, SECOND)).toEqual({
      allowed: true,
      remaining: 0,
      resetMicros: T + SECOND,
      retryAfterMicros: 0,
    });
    expect(take(store, 'a', 1, 2, SECOND)).toMatchObject({ allowed: false, retryAfterMicros: SECOND });
    expect(take(store, 'b', 1, 2, SECOND)).toMatchObject({ allowed: true, remaining: 1 });
    time.now += SECOND;
    expect(take(store, 'a', 1, 2, SECOND)).toMatchObject({ allowed: true, remaining: 1 });
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
    for (let key = 0; key < 10; key++) take(store, `short-${key}`, 1, 5, SECOND);
    for (let key = 0; key < 10; key++) take(store, `long-${key}`, 1, 5, 60 * SECOND);
    time.now += SECOND - 1;
    store.sweep(20);
    expect(store.size).toBe(20);
    time.now += 1;
    store.sweep(15);
    store.sweep(5);
    expect(store.size).toBe(10);
    expect(take(store, 'long-0', 1, 5, 60 * SECOND)).toMatchObject({ remaining: 3 });
  });

  it('keeps a denied key no longer than its units live', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    take(store, 'a', 1, 1, SECOND);
    time.now += SECOND / 2;
    take(store, 'a', 1, 1, SECOND);
    time.now += SECOND / 2;
    store.sweep();
    expect(store.size).toBe(0);
  });

  it('comes round to keys that died behind the sweep, however many new ones come meanwhile', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    for (let key = 0; key < 100; key++) take(store, `early-${key}`, 1, 5, SECOND);
    store.sweep(50);
    time.now += SECOND;
    for (let round = 0; round < 30; round++) {
      // As many come as each step looks at, so the end of the map is never reached.
      for (let key = 0; key < 10; key++) take(store, `late-${round}-${key}`, 1, 5, 60 * SECOND);
      store.sweep(10);
    }
    expect(store.size).toBe(300);
  });

  it('never holds more than its bound: the dead go first', () => {
    const { time, store } = storeAt(T, 4);
    using _ = store;
    take(store, 'long', 1, 5, 60 * SECOND);
    take(store, 'short-1', 1, 5, SECOND);
    take(store, 'short-2', 1, 5, SECOND);
    take(store, 'short-3', 1, 5, SECOND);
    time.now += SECOND;
    take(store, 'new', 1, 5, SECOND);
    expect(store.size).toBe(2);
    expect(take(store, 'long', 1, 5, 60 * SECOND)).toMatchObject({ remaining: 3 });
  });

  it('never holds more than its bound: of the living, the one goes that would be dead first', () => {
    const { time, store } = storeAt(T, 3);
    using _ = store;
    for (const key of ['first', 'second', 'third']) {
      take(store, key, 1, 5, SECOND);
      time.now += 1;
    }
    take(store, 'first', 1, 5, SECOND);
    take(store, 'new', 1, 5, SECOND);
    expect(store.size).toBe(3);
    expect(take(store, 'first', 1, 5, SECOND)).toMatchObject({ remaining: 2 });
    expect(take(store, 'third', 1, 5, SECOND)).toMatchObject({ remaining: 3 });
    expect(take(store, 'second', 1, 5, SECOND)).toMatchObject({ remaining: 4 });
  });

  it('stays at its bound, and fast, under a flood of new keys', () => {
    const { store } = storeAt(T, 1_000);
    using _ = store;
    const start = performance.now();
    for (let key = 0; key < 50_000; key++) take(store, `flood-${key}`, 1, 5, 60 * SECOND);
    expect(store.size).toBe(1_000);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('forgets reset keys, and tells how many there were', () => {
    const { store } = storeAt(T);
    using _ = store;
    take(store, 'a', 5, 5, SECOND);
    expect(store.reset(['a', 'never'])).toBe(1);
    expect(take(store, 'a', 1, 5, SECOND)).toMatchObject({ allowed: true, remaining: 4 });
  });

  it('keeps nothing of what it only looked at or denied', () => {
    const { store } = storeAt(T);
    using _ = store;
    const [one, lower] = [
      limitOf({ limit: 1, windowMicros: SECOND }),
      limitOf({ limit: 5, windowMicros: SECOND }),
    ];
    store.decide({ terms: [{ key: 'a', limit: one, cost: 1 }], peek: true, lease: '' });
    expect(store.size).toBe(0);
    take(store, 'a', 1, 1, SECOND);
    const terms = [
      { key: 'a', limit: one, cost: 1 },
      { key: 'b', limit: lower, cost: 1 },
    ];
    expect(store.decide({ terms, peek: false, lease: '' })).toMatchObject([
      { allowed: false },
      { allowed: true, remaining: 5 },
    ]);
    expect(store.size).toBe(1);
  });

  it('gives back once what was taken under an id, and forgets the id when the take has run out', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    const limit = limitOf({ limit: 2, windowMicros: SECOND });
    const { resetMicros } = take(store, 'a', 1, 2, SECOND);
    take(store, 'a', 1, 2, SECOND);
    const parts = [{ key: 'a', limit, cost: 1, resetMicros }];
    expect(store.refund('id', parts)).toEqual([1]);
    expect(store.refund('id', parts)).toEqual([0]);
    expect(take(store, 'a', 1, 2, SECOND)).toMatchObject({ allowed: true, remaining: 0 });
    time.now += SECOND;
    expect(store.refund('later', parts)).toEqual([0]);
    store.sweep();
    expect(take(store, 'a', 1, 2, SECOND)).toMatchObject({ allowed: true, remaining: 1 });
    // Were the id still known, it would give back nothing of this new take.
    expect(
      store.refund('id', [{ ...parts[0], key: 'a', limit, cost: 1, resetMicros: time.now + SECOND }]),
    ).toEqual([1]);
  });

  it('refunds nothing more, rather than anything twice, once it can remember no more ids', () => {
    const { time, store } = storeAt(T, 2);
    using _ = store;
    const limit = limitOf({ limit: 9, windowMicros: SECOND });
    const { resetMicros } = take(store, 'a', 9, 9, SECOND);
    const parts = [{ key: 'a', limit, cost: 1, resetMicros }];
    expect(['1', '2', '3', '1'].map((id) => store.refund(id, parts)[0])).toEqual([1, 1, 0, 0]);
    time.now += SECOND;
    const again = take(store, 'a', 9, 9, SECOND);
    expect(store.refund('3', [{ key: 'a', limit, cost: 1, resetMicros: again.resetMicros }])).toEqual([1]);
  });

  it('need not remember what is given back at once and never again: of that there may be any number', async () => {
    const { time, store } = storeAt(T, 1);
    using _ = store;
    const year = 365 * 86_400 * SECOND;
    const rules = rulesOf({
      yearly: { limits: [{ algorithm: 'FIXED_WINDOW', limit: 9, windowMicros: year }] },
    });
    const limiter = new Limiter({ rules: () => rules, store: new DirectStore(store), enabled: true });
    const { rule } = rules.ruleFor('yearly');
    const limit = limitOf({ algorithm: 'FIXED_WINDOW', limit: 9, windowMicros: year });
    const term = { key: 'a', limit, cost: 9, rule, endpoint: 'yearly', identifier: 'a' };
    await limiter.askTerms([term], false);
    for (let back = 1; back <= 9; back += 1) expect(await limiter.giveBackNewest(term, 1)).toBe(1);
    expect(await limiter.giveBackNewest(term, 1)).toBe(0);
    time.now += year;
    expect((await limiter.askTerms([term], false)).states).toMatchObject([{ allowed: true }]);
  });

  it('remembers no id for ever, whatever time a receipt names', () => {
    const { time, store } = storeAt(T, 1);
    using _ = store;
    const day = 86_400 * SECOND;
    const limit = limitOf({ limit: 2, windowMicros: day });
    const { resetMicros } = take(store, 'a', 1, 2, day);
    const part = { key: 'a', limit, cost: 1, resetMicros };
    expect(store.refund('made-up', [{ ...part, resetMicros: Number.MAX_SAFE_INTEGER }])).toEqual([0]);
    time.now += 400 * day;
    const again = take(store, 'a', 1, 2, day);
    expect(store.refund('id', [{ ...part, resetMicros: again.resetMicros }])).toEqual([1]);
  });

  it('renews and gives back leases by id, and drops a key whose leases have ended', () => {
    const { time, store } = storeAt(T);
    using _ = store;
    const limit = limitOf({ algorithm: 'CONCURRENCY', limit: 1, windowMicros: SECOND });
    const acquire = (lease: string) =>
      store.decide({ terms: [{ key: 'a', limit, cost: 1 }], peek: false, lease })[0] as LimitState;
    const parts = [{ key: 'a', limit, cost: 1, resetMicros: acquire('first').resetMicros }];
    time.now += SECOND / 2;
    expect(store.renew('first', parts)).toEqual([time.now + SECOND]);
    expect(acquire('second')).toMatchObject({ allowed: false, retryAfterMicros: SECOND });
    // Past the end that the take gave, which the renewal put off.
    time.now += (SECOND * 3) / 4;
    expect(store.refund('first', parts)).toEqual([1]);
    expect(store.renew('first', parts)).toEqual([0]);
    expect(acquire('second').allowed).toBe(true);
    time.now += SECOND;
    store.sweep();
    expect(store.size).toBe(0);
  });

  it('sweeps by itself', async () => {
    using store = new MemoryStore();
    take(store, 'a', 1, 5, 1_000);
    await expect.poll(() => store.size, { timeout: 1_000 }).toBe(0);
  });
});
