import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LimitState } from './limit-store.ts';
import { SlidingWindowLog } from './sliding-window-log.ts';
import { ask, limitOf } from './testing-limit.ts';

const T = 1_700_000_000_000_000;
const WINDOW = 60_000_000;

function take(
  log: SlidingWindowLog,
  clock: number,
  cost: number,
  limit: number,
  windowMicros: number,
): LimitState {
  return ask(log, clock, cost, { limit, windowMicros });
}

describe('SlidingWindowLog', () => {
  it('allows up to the limit, and tells what is left and when all of it is back', () => {
    const log = new SlidingWindowLog();
    expect(take(log, T, 1, 3, WINDOW)).toEqual({
      allowed: true,
      remaining: 2,
      resetMicros: T + WINDOW,
      retryAfterMicros: 0,
    });
    expect(take(log, T + 10, 2, 3, WINDOW)).toEqual({
      allowed: true,
      remaining: 0,
      resetMicros: T + 10 + WINDOW,
      retryAfterMicros: 0,
    });
  });

  it('denies beyond the limit until the oldest unit is exactly one window old', () => {
    const log = new SlidingWindowLog();
    take(log, T, 1, 2, WINDOW);
    take(log, T + 5, 1, 2, WINDOW);
    expect(take(log, T + WINDOW - 1, 1, 2, WINDOW)).toEqual({
      allowed: false,
      remaining: 0,
      resetMicros: T + 5 + WINDOW,
      retryAfterMicros: 1,
    });
    expect(take(log, T + WINDOW, 1, 2, WINDOW).allowed).toBe(true);
    expect(take(log, T + WINDOW, 1, 2, WINDOW).retryAfterMicros).toBe(5);
  });

  it('denies a cost that does not fit whole, leaves the rest, and waits for as many units as it needs', () => {
    const log = new SlidingWindowLog();
    for (const at of [0, 10, 20]) take(log, T + at, 1, 4, WINDOW);
    const denied = take(log, T + 30, 3, 4, WINDOW);
    expect(denied).toMatchObject({ allowed: false, remaining: 1, retryAfterMicros: 10 + WINDOW - 30 });
    expect(take(log, T + 30, 1, 4, WINDOW)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it('has nothing left, rather than less, where the limit was lowered below what was taken', () => {
    const log = new SlidingWindowLog();
    for (const at of [0, 10, 20, 30]) take(log, T + at, 1, 10, WINDOW);
    expect(take(log, T + 40, 1, 2, WINDOW)).toEqual({
      allowed: false,
      remaining: 0,
      resetMicros: T + 30 + WINDOW,
      retryAfterMicros: 20 + WINDOW - 40,
    });
  });

  it('stops time where the clock is set back, and waits by that clock', () => {
    const log = new SlidingWindowLog();
    take(log, T, 1, 2, WINDOW);
    expect(take(log, T - 1000, 1, 2, WINDOW)).toMatchObject({ allowed: true, resetMicros: T + WINDOW });
    expect(take(log, T - 1000, 1, 2, WINDOW)).toMatchObject({
      allowed: false,
      retryAfterMicros: WINDOW + 1000,
    });
  });

  it('is never changed by a denial, not even by dropping the dead', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: WINDOW, max: 1.5 * WINDOW - 1 }), { maxLength: 5 }),
        fc.integer({ min: 1.5 * WINDOW, max: 6 * WINDOW }),
        fc.constantFrom(WINDOW, 4 * WINDOW),
        (denials, later, laterWindow) => {
          const [asked, spared] = [new SlidingWindowLog(), new SlidingWindowLog()];
          for (const log of [asked, spared]) {
            for (const at of [0, WINDOW / 2, WINDOW / 2]) take(log, T + at, 1, 3, WINDOW);
          }
          // At these times the first unit is dead and the other two are alive.
          for (const step of denials) expect(take(asked, T + step, 2, 3, WINDOW).allowed).toBe(false);
          expect(take(asked, T + later, 1, 4, laterWindow)).toEqual(
            take(spared, T + later, 1, 4, laterWindow),
          );
        },
      ),
    );
  });

  it('gives back just the units of one take', () => {
    const log = new SlidingWindowLog();
    const limit = limitOf({ limit: 5, windowMicros: WINDOW });
    take(log, T, 2, 5, WINDOW);
    const { resetMicros } = take(log, T + 1, 2, 5, WINDOW);
    expect(log.refund(T + 2, 2, resetMicros + 1, limit)).toBe(0);
    expect(log.refund(T + 2, 9, resetMicros, limit)).toBe(2);
    expect(log.debt(T + 2, limit)).toEqual([2, 2]);
    expect(log.refund(T + WINDOW, 2, T + WINDOW, limit)).toBe(0);
  });

  it('moves what it holds to another log, age for age', () => {
    const [from, to] = [new SlidingWindowLog(), new SlidingWindowLog()];
    const limit = limitOf({ limit: 5, windowMicros: WINDOW });
    take(from, T, 2, 5, WINDOW);
    take(from, T + 10, 1, 5, WINDOW);
    take(to, 2 * T - 7, 3, 5, WINDOW);
    to.settle(2 * T, from.debt(T + 12, limit), limit);
    expect(to.debt(2 * T, limit)).toEqual([12, 2, 7, 3, 2, 1]);
    expect(to.look(2 * T, 2, limit)).toMatchObject({
      allowed: false,
      remaining: 0,
      retryAfterMicros: WINDOW - 7,
    });
  });

  it('never admits more than the limit in any window, and keeps its word on retry-after', () => {
    const steps = fc.array(
      fc.record({ step: fc.integer({ min: 0, max: WINDOW }), cost: fc.integer({ min: 1, max: 5 }) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (operations) => {
        const log = new SlidingWindowLog();
        const admitted: number[] = [];
        let now = T;
        for (const { step, cost } of operations) {
          now += step;
          let state = take(log, now, cost, 5, WINDOW);
          if (!state.allowed) {
            expect(state.retryAfterMicros).toBeGreaterThan(0);
            expect(take(log, now + state.retryAfterMicros - 1, cost, 5, WINDOW).allowed).toBe(false);
            now += state.retryAfterMicros;
            state = take(log, now, cost, 5, WINDOW);
            expect(state.allowed).toBe(true);
          }
          for (let unit = 0; unit < cost; unit++) admitted.push(now);
          const inWindow = admitted.filter((at) => at > now - WINDOW).length;
          expect(inWindow).toBeLessThanOrEqual(5);
          expect(state.remaining).toBe(5 - inWindow);
        }
      }),
    );
  });
});
