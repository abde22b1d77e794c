import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlidingWindowLog } from './sliding-window-log.ts';

const T = 1_700_000_000_000_000;
const WINDOW = 60_000_000;

describe('SlidingWindowLog', () => {
  it('allows up to the limit, and tells what is left and when all of it is back', () => {
    const log = new SlidingWindowLog();
    expect(log.take(T, 1, 3, WINDOW)).toEqual({
      allowed: true,
      remaining: 2,
      resetMicros: T + WINDOW,
      retryAfterMicros: 0,
    });
    expect(log.take(T + 10, 2, 3, WINDOW)).toEqual({
      allowed: true,
      remaining: 0,
      resetMicros: T + 10 + WINDOW,
      retryAfterMicros: 0,
    });
  });

  it('denies beyond the limit until the oldest unit is exactly one window old', () => {
    const log = new SlidingWindowLog();
    log.take(T, 1, 2, WINDOW);
    log.take(T + 5, 1, 2, WINDOW);
    expect(log.take(T + WINDOW - 1, 1, 2, WINDOW)).toEqual({
      allowed: false,
      remaining: 0,
      resetMicros: T + 5 + WINDOW,
      retryAfterMicros: 1,
    });
    expect(log.take(T + WINDOW, 1, 2, WINDOW).allowed).toBe(true);
    expect(log.take(T + WINDOW, 1, 2, WINDOW).retryAfterMicros).toBe(5);
  });

  it('denies a cost that does not fit whole, leaves the rest, and waits for as many units as it needs', () => {
    const log = new SlidingWindowLog();
    for (const at of [0, 10, 20]) log.take(T + at, 1, 4, WINDOW);
    const denied = log.take(T + 30, 3, 4, WINDOW);
    expect(denied).toMatchObject({ allowed: false, remaining: 1, retryAfterMicros: 10 + WINDOW - 30 });
    expect(log.take(T + 30, 1, 4, WINDOW)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it('has nothing left, rather than less, where the limit was lowered below what was taken', () => {
    const log = new SlidingWindowLog();
    for (const at of [0, 10, 20, 30]) log.take(T + at, 1, 10, WINDOW);
    expect(log.take(T + 40, 1, 2, WINDOW)).toEqual({
      allowed: false,
      remaining: 0,
      resetMicros: T + 30 + WINDOW,
      retryAfterMicros: 20 + WINDOW - 40,
    });
  });

  it('stops time where the clock is set back, and waits by that clock', () => {
    const log = new SlidingWindowLog();
    log.take(T, 1, 2, WINDOW);
    expect(log.take(T - 1000, 1, 2, WINDOW)).toMatchObject({ allowed: true, resetMicros: T + WINDOW });
    expect(log.take(T - 1000, 1, 2, WINDOW)).toMatchObject({
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
            for (const at of [0, WINDOW / 2, WINDOW / 2]) log.take(T + at, 1, 3, WINDOW);
          }
          // At these times the first unit is dead and the other two are alive.
          for (const step of denials) expect(asked.take(T + step, 2, 3, WINDOW).allowed).toBe(false);
          expect(asked.take(T + later, 1, 4, laterWindow)).toEqual(spared.take(T + later, 1, 4, laterWindow));
        },
      ),
    );
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
          let state = log.take(now, cost, 5, WINDOW);
          if (!state.allowed) {
            expect(state.retryAfterMicros).toBeGreaterThan(0);
            expect(log.take(now + state.retryAfterMicros - 1, cost, 5, WINDOW).allowed).toBe(false);
            now += state.retryAfterMicros;
            state = log.take(now, cost, 5, WINDOW);
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
