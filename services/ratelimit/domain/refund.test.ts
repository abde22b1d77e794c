import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALGORITHMS } from './algorithm.ts';
import { newModel } from './new-model.ts';
import { limitOf } from './testing-limit.ts';

const T = 1_700_000_000_000_000;

describe('a refund', () => {
  const step = fc.record({
    micros: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 400 }), fc.constantFrom(0, 100, 1_000)),
    cost: fc.integer({ min: 1, max: 4 }),
  });
  it.each(ALGORITHMS)('never leaves more room than if nothing had been taken: %s', (algorithm) => {
    let refunded = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 2, maxLength: 30 }),
        fc.nat({ max: 8 }),
        fc.integer({ min: 1, max: 4 }),
        // 1.4 µs a unit among them, and three units a µs.
        fc.constantFrom([7, 1_000], [9, 1_009], [700, 1_000], [3_000, 1_000]),
        (steps, taking, later, [most = 7, windowMicros = 1_000]) => {
          const limit = limitOf({ algorithm, limit: most, windowMicros });
          const [given, spared] = [newModel(algorithm), newModel(algorithm)];
          let now = T;
          let take: { cost: number; resetMicros: number } | undefined;
          for (const [at, { micros, cost }] of steps.entries()) {
            now += micros;
            if (at === taking + later && take !== undefined) {
              refunded += given.refund(now, take.cost, take.resetMicros, limit, 'given');
            }
            const state = given.look(now, cost, limit, `${at}`);
            const other = spared.look(now, cost, limit, `${at}`);
            expect(state.remaining).toBeLessThanOrEqual(other.remaining);
            if (!state.allowed) continue;
            // What the one admits the other must: so both have the same takes, but for the one given back.
            expect(other.allowed).toBe(true);
            if (at === taking) {
              take = { cost, resetMicros: given.take(now, cost, limit, 'given').resetMicros };
              continue;
            }
            given.take(now, cost, limit, `${at}`);
            spared.take(now, cost, limit, `${at}`);
          }
        },
      ),
      { numRuns: 1_500 },
    );
    expect(refunded).toBeGreaterThan(100);
  });
});
