import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CallerWindowPeak, WindowPeak } from './peaks.ts';

const arbitraryAsks = fc
  .array(
    fc.record({
      timeMicros: fc.nat(100),
      units: fc.integer({ min: 1, max: 5 }),
      identifier: fc.constantFrom('a', 'b', 'c'),
    }),
    { minLength: 1 },
  )
  .map((asks) => asks.sort((one, other) => one.timeMicros - other.timeMicros));

test('peaks are the largest sums of one window', () => {
  fc.assert(
    fc.property(arbitraryAsks, fc.integer({ min: 1, max: 40 }), (asks, window) => {
      const [all, caller] = [new WindowPeak(window), new CallerWindowPeak(window)];
      const sums = new Map<string, number>();
      for (const { timeMicros, units, identifier } of asks) {
        all.add(timeMicros, units);
        caller.add(timeMicros, units, identifier);
        const start = Math.floor(timeMicros / window) * window;
        for (const key of [`${start}`, `${start} ${identifier}`]) sums.set(key, (sums.get(key) ?? 0) + units);
      }
      const most = (wanted: boolean) =>
        Math.max(...[...sums].filter(([key]) => key.includes(' ') === wanted).map(([, units]) => units));
      expect(all.peak?.units).toBe(most(false));
      expect(caller.peak?.units).toBe(most(true));
      expect(sums.get(`${all.peak?.atMicros}`)).toBe(all.peak?.units);
      expect(sums.get(`${caller.peak?.atMicros} ${caller.peak?.identifier}`)).toBe(caller.peak?.units);
    }),
  );
});
