import fc from 'fast-check';
import { ALGORITHMS } from './algorithm.ts';
import type { LimitDefinition } from './limit.ts';
import type { RuleDefinition } from './rule.ts';

const arbitraryLimit: fc.Arbitrary<LimitDefinition> = fc
  .record({
    algorithm: fc.constantFrom(...ALGORITHMS),
    limit: fc.integer({ min: 1, max: 100_000 }),
    windowMicros: fc.oneof(fc.integer({ min: 1_000, max: 10_000_000 }), fc.constant(34_560_000_000_000)),
    shadow: fc.boolean(),
    smaller: fc.integer({ min: 1, max: 100_000 }),
  })
  .map(({ smaller, ...limit }) =>
    limit.algorithm === 'TOKEN_BUCKET' ? { ...limit, burst: Math.min(smaller, limit.limit) } : limit,
  );

const arbitraryLimits = fc
  .array(arbitraryLimit, { minLength: 1, maxLength: 8 })
  .map((limits) => limits.map((limit, index) => ({ ...limit, name: index === 0 ? '' : `l${index}` })));

const arbitraryMode = fc.constantFrom('ENFORCED', 'SHADOW', 'UNLIMITED', 'DISABLED');

/** Definitions that are within their bounds. */
export const arbitraryDefinition: fc.Arbitrary<RuleDefinition> = fc.record({
  name: fc.stringMatching(/^[A-Za-z0-9_.:/-]{1,128}$/),
  limits: arbitraryLimits,
  mode: arbitraryMode,
  bypassRoles: fc.uniqueArray(fc.stringMatching(/^[a-zä]{1,20}$/), { maxLength: 4 }),
  onStoreFailure: fc.constantFrom('FAIL_LOCAL', 'FAIL_OPEN', 'FAIL_CLOSED'),
  overrides: fc.uniqueArray(
    fc.record({
      identifier: fc.stringMatching(/^[a-zü:*" -]{1,30}$/),
      mode: arbitraryMode,
      limits: arbitraryLimits,
    }),
    { maxLength: 4, selector: ({ identifier }) => identifier },
  ),
});
