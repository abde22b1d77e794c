import { describe, expect, it } from 'vitest';
import { ALGORITHMS } from '../services/ratelimit/domain/algorithm.ts';
import { runAgreement } from '../testing/agreement/run-agreement.ts';

describe('several processes with skewed clocks, working at the same keys', () => {
  it('get from the scripts what the models answer, never too much, and no denial without a reason', async () => {
    const { tally, report } = await runAgreement({ operations: 40_000, processes: 3, seed: seed() });
    expect(report).toBe('');
    expect(tally.faults).toEqual({ DISAGREEMENT: 0, OVER_ADMISSION: 0, WRONG_DENIAL: 0 });

    // Everything happened, and limits were met.
    const { operations, algorithms } = tally;
    for (const count of Object.values(operations)) expect(count).toBeGreaterThan(100);
    for (const algorithm of ALGORITHMS) {
      const { allowed, denied, refunded, within } = algorithms[algorithm];
      expect(Math.min(allowed, denied)).toBeGreaterThan(1_000);
      expect(refunded).toBeGreaterThan(0);
      // The oracles commit themselves.
      expect(within).toBeLessThan((allowed + denied) / 5);
    }
  }, 60_000);

  it.each([
    [
      'admits one unit too many',
      'live + cost > limit then',
      'live + cost > limit + 1 then',
      'OVER_ADMISSION',
    ],
    ['denies the last unit', 'count + cost <= limit then', 'count + cost < limit then', 'WRONG_DENIAL'],
    ['forgets a part 1 µs early', '(now + 1 - window) / width', '(now + 2 - window) / width', 'DISAGREEMENT'],
  ] as const)(
    'show a script that %s',
    async (_, line, wrong, kind) => {
      const alter = (source: string) => {
        expect(source.split(line)).toHaveLength(2);
        return source.replace(line, wrong);
      };
      const { tally, report } = await runAgreement({ operations: 6_000, processes: 2, seed: seed(), alter });
      expect(tally.faults[kind]).toBeGreaterThan(0);
      // A few calls tell it.
      expect(report.split('\n').length).toBeLessThan(30);
      expect(report).toMatch(/^seed \d+: [A-Z_]+ in call \d+; expected .*\n {2}key \d+: /);
    },
    30_000,
  );
});

/** Another one each time; a failure tells it. */
function seed(): number {
  return Date.now() % 1_000_000;
}
