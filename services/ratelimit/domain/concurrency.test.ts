import { describe, expect, it } from 'vitest';
import { Concurrency } from './concurrency.ts';
import type { LimitDefinition } from './limit.ts';
import { ask, limitOf } from './testing-limit.ts';

const T = 1_700_000_000_000_000;
const SECOND = 1_000_000;
const held = (limit: number, windowMicros = SECOND): LimitDefinition => ({
  algorithm: 'CONCURRENCY',
  limit,
  windowMicros,
});

describe('Concurrency', () => {
  it('holds units until they are given back', () => {
    const model = new Concurrency();
    expect(ask(model, T, 2, held(3), 'a')).toEqual({
      allowed: true,
      remaining: 1,
      resetMicros: T + SECOND,
      retryAfterMicros: 0,
    });
    expect(ask(model, T + 1, 2, held(3), 'b')).toMatchObject({
      allowed: false,
      retryAfterMicros: SECOND - 1,
    });
    expect(model.refund(T + 1, 2, 0, limitOf(held(3)), 'a')).toBe(2);
    expect(model.refund(T + 1, 2, 0, limitOf(held(3)), 'a')).toBe(0);
    expect(ask(model, T + 1, 2, held(3), 'b')).toMatchObject({ allowed: true, remaining: 1 });
  });

  it('frees the units of a holder that died when its lease ends', () => {
    const model = new Concurrency();
    for (const [at, lease] of ['a', 'b', 'c'].entries()) ask(model, T + at, 1, held(3), lease);
    expect(ask(model, T + 10, 2, held(3), 'd')).toMatchObject({
      allowed: false,
      retryAfterMicros: SECOND + 1 - 10,
    });
    expect(ask(model, T + SECOND + 1, 2, held(3), 'd')).toMatchObject({ allowed: true, remaining: 0 });
    expect(model.refund(T + SECOND + 1, 1, 0, limitOf(held(3)), 'a')).toBe(0);
  });

  it('holds the same operation once, also where all units are held', () => {
    const model = new Concurrency();
    ask(model, T, 2, held(3), 'a');
    ask(model, T, 1, held(3), 'b');
    expect(ask(model, T + 5, 2, held(3), 'a')).toMatchObject({
      allowed: true,
      remaining: 0,
      resetMicros: T + 5 + SECOND,
    });
    expect(ask(model, T + 5, 1, held(3), 'c').retryAfterMicros).toBe(SECOND - 5);
  });

  it('renews a lease that is alive for a whole window, and none that ended', () => {
    const model = new Concurrency();
    const limit = limitOf(held(1));
    ask(model, T, 1, held(1), 'a');
    expect(model.renew(T + SECOND - 1, 1, limit, 'a')).toBe(T + 2 * SECOND - 1);
    expect(ask(model, T + SECOND, 1, held(1), 'b').allowed).toBe(false);
    expect(model.renew(T + 2 * SECOND, 1, limit, 'a')).toBe(0);
    expect(model.renew(T, 1, limit, 'unknown')).toBe(0);
  });

  it('settles leases with the time they have left', () => {
    const [from, to] = [new Concurrency(), new Concurrency()];
    ask(from, T, 2, held(3), 'a');
    const debt = from.debt(T + 10);
    expect(debt).toEqual(['a', 2, SECOND - 10]);
    to.settle(2 * T, [...debt, 'ended', 1, 0]);
    to.settle(2 * T, debt);
    expect(to.look(2 * T, 2, limitOf(held(3)), 'b')).toEqual({
      allowed: false,
      remaining: 1,
      resetMicros: 2 * T + SECOND - 10,
      retryAfterMicros: SECOND - 10,
    });
  });
});
