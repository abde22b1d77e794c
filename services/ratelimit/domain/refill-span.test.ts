import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_UNITS, MAX_WINDOW_MICROS } from './algorithm.ts';
import { addSpans, ceilSpan, refillSpan, type Span, subtractSpans, unitsOwed } from './refill-span.ts';

/** The span in parts of 1 / limit µs. */
function parts({ whole, part }: Span, limit: number): bigint {
  return BigInt(whole) * BigInt(limit) + BigInt(part);
}

const units = fc.oneof(
  fc.integer({ min: 0, max: MAX_UNITS }),
  fc.integer({ min: 0, max: 40_000 }),
  fc.constant(MAX_UNITS),
);
const limits = fc.oneof(
  fc.integer({ min: 1, max: MAX_UNITS }),
  fc.integer({ min: 1, max: 100 }),
  fc.constantFrom(MAX_UNITS, 999_999_937),
);
const windows = fc.oneof(
  fc.integer({ min: 1_000, max: MAX_WINDOW_MICROS }),
  fc.constantFrom(1_000, 60_000_000, MAX_WINDOW_MICROS),
);

describe('refill spans', () => {
  it('are units × window / limit to the last part, up to 10^15 µs', () => {
    fc.assert(
      fc.property(units, limits, windows, (n, limit, window) => {
        const span = refillSpan(n, limit, window);
        const exact = BigInt(n) * BigInt(window);
        if (BigInt(n) * (BigInt(window) / BigInt(limit)) >= 10n ** 15n)
          expect(span).toEqual({ whole: 1e15, part: 0 });
        else expect(parts(span, limit)).toBe(exact);
        expect(span.part).toBeLessThan(limit);
      }),
      { numRuns: 20_000 },
    );
  });

  it('tell the fewest units that take at least so long', () => {
    const near = fc.integer({ min: -2, max: 2 });
    fc.assert(
      fc.property(units, limits, windows, near, (n, limit, window, offset) => {
        fc.pre((n / limit) * window <= MAX_WINDOW_MICROS);
        // Spans that end with a whole unit, and those a few parts beside them.
        const exact = BigInt(n) * BigInt(window) + BigInt(offset);
        fc.pre(exact >= 0n);
        const span = { whole: Number(exact / BigInt(limit)), part: Number(exact % BigInt(limit)) };
        const fewest = (exact + BigInt(window) - 1n) / BigInt(window);
        expect(unitsOwed(span, MAX_UNITS, limit, window)).toBe(Number(fewest));
        expect(unitsOwed(span, 10, limit, window)).toBe(Math.min(11, Number(fewest)));
      }),
      { numRuns: 20_000 },
    );
  });

  it('add, subtract and round up', () => {
    expect(addSpans({ whole: 1, part: 5 }, { whole: 2, part: 4 }, 7)).toEqual({ whole: 4, part: 2 });
    expect(subtractSpans({ whole: 4, part: 2 }, { whole: 2, part: 4 }, 7)).toEqual({ whole: 1, part: 5 });
    expect([ceilSpan({ whole: 3, part: 0 }), ceilSpan({ whole: 3, part: 1 })]).toEqual([3, 4]);
  });
});
