import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LimitDefinition } from './limit.ts';
import { SlidingWindowCounter } from './sliding-window-counter.ts';
import { ask, limitOf } from './testing-limit.ts';

const SECOND = 1_000_000;
const T = 1_700_000_000_000_000;
const counter = (limit: number, windowMicros = SECOND): LimitDefinition => ({
  algorithm: 'SLIDING_WINDOW_COUNTER',
  limit,
  windowMicros,
});

describe('SlidingWindowCounter', () => {
  it('holds units for a window, and less than a tenth of it longer', () => {
    const model = new SlidingWindowCounter();
    expect(ask(model, T, 2, counter(2))).toEqual({
      allowed: true,
      remaining: 0,
      resetMicros: T + 1_099_999,
      retryAfterMicros: 0,
    });
    expect(ask(model, T + SECOND, 1, counter(2))).toMatchObject({ allowed: false, retryAfterMicros: 99_999 });
    expect(ask(model, T + 1_099_999, 1, counter(2))).toMatchObject({ allowed: true, remaining: 1 });
  });

  it('stops time where the clock is set back', () => {
    const model = new SlidingWindowCounter();
    ask(model, T, 1, counter(2));
    expect(ask(model, T - SECOND, 1, counter(2))).toMatchObject({
      allowed: true,
      resetMicros: T + 1_099_999,
    });
    expect(ask(model, T - SECOND, 1, counter(2)).retryAfterMicros).toBe(2_099_999);
  });

  it.each([1_000, 1_001, 1_009, SECOND, 7 * SECOND + 3])(
    'admits no more than the limit in any window, and denies only what has no room in a tenth more: %i µs',
    (window) => {
      const width = Math.ceil(window / 10);
      const step = fc.record({
        micros: fc.oneof(
          fc.integer({ min: 0, max: window }),
          fc.constantFrom(0, 1, width - 1, width, window - 1),
        ),
        cost: fc.integer({ min: 1, max: 5 }),
      });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
          const model = new SlidingWindowCounter();
          const taken: number[] = [];
          const unitsSince = (micros: number) => taken.filter((at) => at > micros).length;
          let now = T;
          for (const { micros, cost } of steps) {
            now += micros;
            const { allowed, retryAfterMicros } = ask(model, now, cost, counter(5, window));
            if (allowed) {
              for (let unit = 0; unit < cost; unit++) taken.push(now);
              expect(unitsSince(now - window)).toBeLessThanOrEqual(5);
            } else {
              expect(unitsSince(now - window - width) + cost).toBeGreaterThan(5);
              const limit = limitOf(counter(5, window));
              expect(model.look(now + retryAfterMicros - 1, cost, limit).allowed).toBe(false);
              expect(model.look(now + retryAfterMicros, cost, limit).allowed).toBe(true);
            }
          }
        }),
        { numRuns: 200 },
      );
    },
  );

  it('holds units no shorter than either window where the window is edited', () => {
    const model = new SlidingWindowCounter();
    ask(model, T + 5, 2, counter(2, 10 * SECOND));
    // By the last µs of their old part, but not after now.
    expect(ask(model, T + 10, 1, counter(2))).toMatchObject({ allowed: false, retryAfterMicros: 1_099_989 });
    expect(ask(model, T + 5 * SECOND, 1, counter(2, 60 * SECOND))).toMatchObject({ allowed: false });
  });

  it('gives back from the part of the take, while that is alive', () => {
    const model = new SlidingWindowCounter();
    const limit = limitOf(counter(5));
    const { resetMicros } = ask(model, T, 2, counter(5));
    ask(model, T + 100_000, 2, counter(5));
    expect(model.refund(T + 200_000, 9, resetMicros, limit)).toBe(2);
    expect(model.debt(T + 200_000, limit)).toEqual([1, 2]);
    expect(model.refund(T + 2 * SECOND, 2, resetMicros + 100_000, limit)).toBe(0);
  });

  it('settles ages in parts of its own, and leaves out the dead', () => {
    const model = new SlidingWindowCounter();
    const limit = limitOf(counter(5));
    model.settle(T, [2 * SECOND, 5, 950_000, 1, 0, 2], limit);
    expect(model.debt(T, limit)).toEqual([900_001, 1, 0, 2]);
  });
});
