import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timeline } from './timeline.ts';

describe('Timeline', () => {
  it('counts each request once, whatever the span', () => {
    const request = fc.record({
      timeMicros: fc.integer({ min: 0, max: 60 * 365 * 86_400 }).map((seconds) => seconds * 1_000_000 + 7),
      outcome: fc.constantFrom('allowed' as const, 'denied' as const),
      shadowDenied: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 200 }), (requests) => {
        const timeline = new Timeline();
        for (const { timeMicros, outcome, shadowDenied } of requests)
          timeline.add(timeMicros, outcome, shadowDenied);
        const width = timeline.widthSeconds * 1_000_000;
        const naive = new Map<number, { allowed: number; denied: number; shadowDenied: number }>();
        for (const { timeMicros, outcome, shadowDenied } of requests) {
          const start = Math.floor(timeMicros / width) * width;
          const bucket = naive.get(start) ?? { allowed: 0, denied: 0, shadowDenied: 0 };
          bucket[outcome] += 1;
          if (shadowDenied) bucket.shadowDenied += 1;
          naive.set(start, bucket);
        }
        expect(new Map(timeline.buckets.map(({ startMicros, ...counts }) => [startMicros, counts]))).toEqual(
          naive,
        );
        const starts = timeline.buckets.map(({ startMicros }) => startMicros);
        expect(starts).toEqual([...starts].sort((a, b) => a - b));
        expect(((starts.at(-1) ?? 0) - (starts[0] ?? 0)) / width).toBeLessThan(500);
      }),
    );
  });

  it.each([
    [60, 1],
    [86_400, 300],
    [30 * 86_400, 10_800],
    [3_650 * 86_400, 1_209_600],
  ])('of %d s has buckets of %d s', (span, width) => {
    const timeline = new Timeline();
    timeline.add(1_700_000_000_000_000, 'allowed', false);
    timeline.add(1_700_000_000_000_000 + span * 1_000_000, 'denied', false);
    expect(timeline.widthSeconds).toBe(width);
  });
});
