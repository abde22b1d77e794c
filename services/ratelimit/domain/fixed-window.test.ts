import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FixedWindow } from './fixed-window.ts';
import type { LimitDefinition } from './limit.ts';
import { ask, limitOf } from './testing-limit.ts';

const MINUTE = 60_000_000;
/** A multiple of an hour. */
const T = 472_222 * 60 * MINUTE;
const fixed = (limit: number, windowMicros = MINUTE): LimitDefinition => ({
  algorithm: 'FIXED_WINDOW',
  limit,
  windowMicros,
});

describe('FixedWindow', () => {
  it('begins anew at each multiple of the window', () => {
    const model = new FixedWindow();
    expect(ask(model, T + 5, 2, fixed(2))).toEqual({
      allowed: true,
      remaining: 0,
      resetMicros: T + MINUTE,
      retryAfterMicros: 0,
    });
    expect(ask(model, T + MINUTE - 1, 1, fixed(2))).toMatchObject({ allowed: false, retryAfterMicros: 1 });
    expect(ask(model, T + MINUTE, 1, fixed(2))).toMatchObject({ allowed: true, remaining: 1 });
  });

  it('never goes back to an earlier window', () => {
    const model = new FixedWindow();
    ask(model, T, 2, fixed(2));
    expect(ask(model, T - 1, 1, fixed(2))).toMatchObject({ allowed: false, retryAfterMicros: MINUTE + 1 });
  });

  it('admits, between two multiples, what has room and nothing else', () => {
    const step = fc.record({
      micros: fc.integer({ min: 0, max: MINUTE }),
      cost: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const model = new FixedWindow();
        const counts = new Map<number, number>();
        let now = T;
        for (const { micros, cost } of steps) {
          now += micros;
          const number = Math.floor(now / MINUTE);
          const count = counts.get(number) ?? 0;
          const state = ask(model, now, cost, fixed(5));
          expect(state.allowed).toBe(count + cost <= 5);
          if (state.allowed) counts.set(number, count + cost);
          else expect(now + state.retryAfterMicros).toBe((number + 1) * MINUTE);
          expect(state.remaining).toBe(5 - (counts.get(number) ?? 0));
        }
      }),
    );
  });

  it('counts all as taken at the newest take where the window was edited', () => {
    const model = new FixedWindow();
    ask(model, T + 10, 3, fixed(9, 60 * MINUTE));
    expect(ask(model, T + 20, 1, fixed(9))).toMatchObject({ remaining: 5 });
    expect(ask(model, T + MINUTE, 1, fixed(9))).toMatchObject({ remaining: 8 });
    expect(ask(model, T + 2 * MINUTE, 1, fixed(9, 60 * MINUTE))).toMatchObject({ remaining: 7 });
  });

  it('gives back only what is in the count of now', () => {
    const model = new FixedWindow();
    const limit = limitOf(fixed(5));
    const { resetMicros } = ask(model, T, 3, fixed(5));
    expect(model.refund(T + 1, 3, resetMicros, limit)).toBe(3);
    ask(model, T + MINUTE, 3, fixed(5));
    expect(model.refund(T + MINUTE, 3, resetMicros, limit)).toBe(0);
  });

  it('gives nothing back of a count that began after the take, under a shorter window', () => {
    const model = new FixedWindow();
    const { resetMicros } = ask(model, T, 3, fixed(5, 60 * MINUTE));
    ask(model, T + 5 * MINUTE, 2, fixed(5));
    expect(model.refund(T + 5 * MINUTE, 3, resetMicros, limitOf(fixed(5, 60 * MINUTE)))).toBe(0);
  });

  it('settles what was taken in the window of now', () => {
    const [from, to] = [new FixedWindow(), new FixedWindow()];
    ask(from, T + 30, 2, fixed(5));
    expect(from.debt(T + 40, limitOf(fixed(5)))).toEqual([10, 2]);
    to.settle(T + 9, [10, 2], limitOf(fixed(5)));
    expect(to.look(T + 9, 1, limitOf(fixed(5))).remaining).toBe(5);
    to.settle(T + 10, [10, 7], limitOf(fixed(5)));
    expect(to.look(T + 10, 1, limitOf(fixed(5)))).toMatchObject({ allowed: false, remaining: 0 });
  });
});
