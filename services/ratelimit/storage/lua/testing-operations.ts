import fc from 'fast-check';
import { ALGORITHMS, type Algorithm } from '../../domain/algorithm.ts';
import type { Limit } from '../../domain/limit.ts';
import type { Debt } from '../../domain/limit-model.ts';
import type { Ask, Term } from '../../domain/limit-store.ts';
import { limitOf } from '../../domain/testing-limit.ts';

const SECOND = 1_000_000;
const DAY = 86_400 * SECOND;

/** One limit of one key. The key's algorithm and whether it is a shadow stay; the rest is edited from term to term. */
export interface KeyedLimit {
  readonly key: string;
  readonly limit: Limit;
}

/** Something to do at one time. Refunds and renewals mean the takes so far, by number, counted round. */
export type Operation =
  | { readonly kind: 'decide'; readonly asks: readonly Ask[] }
  | { readonly kind: 'refund' | 'renew'; readonly take: number }
  | { readonly kind: 'settle'; readonly parts: readonly (KeyedLimit & { debt: Debt })[] };

export interface Step {
  /** By how much the clock moves before it, also backwards. */
  readonly micros: number;
  readonly operation: Operation;
}

const WINDOWS = [1_000, 1_001, 9_999, 10_000, SECOND, 7 * SECOND + 3, 60 * SECOND, 400 * DAY];

function keyedLimit(algorithm: Algorithm, extremes: boolean): fc.Arbitrary<KeyedLimit> {
  const most = extremes && algorithm !== 'SLIDING_WINDOW_LOG' ? [1_000_000_000, 999_999_937] : [];
  return fc
    .record({
      name: fc.constantFrom('a', 'b', 'c'),
      limit: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }) },
        fc.constantFrom(7, 10, ...most),
      ),
      burst: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(5, ...most)),
      windowMicros: fc.oneof(fc.constantFrom(...WINDOWS), fc.integer({ min: 1_000, max: 20_000 })),
    })
    .map(({ name, limit, burst, windowMicros }) => {
      const fits = algorithm === 'TOKEN_BUCKET' && (burst / limit) * windowMicros <= 400 * DAY;
      const shadow = name === 'c';
      const defined = limitOf({ algorithm, limit, windowMicros, shadow, ...(fits ? { burst } : {}) });
      return { key: `${name}${defined.keySuffix}`, limit: defined };
    });
}

function term(algorithms: readonly Algorithm[], extremes: boolean): fc.Arbitrary<Term> {
  return fc
    .record({
      keyed: fc.oneof(...algorithms.map((algorithm) => keyedLimit(algorithm, extremes))),
      share: fc.nat({ max: 1_000_000_000 }),
      small: fc.boolean(),
    })
    .map(({ keyed, share, small }) => {
      const most = small ? Math.min(3, keyed.limit.burst) : keyed.limit.burst;
      return { ...keyed, cost: 1 + (share % most) };
    });
}

function debtOf({ algorithm }: Limit): fc.Arbitrary<Debt> {
  const age = fc.oneof(fc.constantFrom(0, 999, 1_000, SECOND), fc.nat({ max: 20_000 }));
  const units = fc.integer({ min: 1, max: 12 });
  if (algorithm === 'TOKEN_BUCKET') return fc.double({ min: 0, max: 20, noNaN: true }).map((owed) => [owed]);
  if (algorithm === 'CONCURRENCY') {
    const lease = fc.tuple(fc.constantFrom('x', 'y', '7'), fc.integer({ min: 1, max: 3 }), age);
    return fc.array(lease, { maxLength: 3 }).map((leases) => leases.flat());
  }
  return fc
    .array(fc.tuple(age, units), { maxLength: 3 })
    .map((pairs) => pairs.sort(([a], [b]) => b - a).flat());
}

/** Sequences of everything that can happen to a few keys of these algorithms. */
export function steps(algorithms: readonly Algorithm[], extremes: boolean, maxLength: number) {
  const ask: fc.Arbitrary<Omit<Ask, 'peek'>> = fc.record({
    terms: fc.uniqueArray(term(algorithms, extremes), {
      minLength: 1,
      maxLength: 4,
      selector: ({ key }) => key,
    }),
    lease: fc.constantFrom('x', 'y', '7', '-_', ...'abcdefghij'),
  });
  const parts = fc
    .uniqueArray(fc.oneof(...algorithms.map((algorithm) => keyedLimit(algorithm, extremes))), {
      minLength: 1,
      maxLength: 3,
      selector: ({ key }) => key,
    })
    .chain((keyed) => fc.tuple(...keyed.map((one) => debtOf(one.limit).map((debt) => ({ ...one, debt })))));
  const operation: fc.Arbitrary<Operation> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .array(fc.record({ ask, looks: fc.nat({ max: 3 }) }), { minLength: 1, maxLength: 4 })
        .map((asks) => ({
          kind: 'decide' as const,
          asks: asks.map(({ ask: { terms, lease }, looks }) => ({ terms, lease, peek: looks === 0 })),
        })),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constantFrom('refund' as const, 'renew' as const), take: fc.nat() }),
    },
    { weight: 1, arbitrary: parts.map((settled) => ({ kind: 'settle' as const, parts: settled })) },
  );
  // Backwards, not at all, to the very edges of the windows, and anywhere.
  const micros = fc.oneof(
    fc.constantFrom(
      0,
      0,
      0,
      1,
      2,
      99,
      100,
      101,
      999,
      1_000,
      1_001,
      SECOND - 1,
      SECOND,
      60 * SECOND,
      400 * DAY,
    ),
    fc.integer({ min: -2 * SECOND, max: 2 * SECOND }),
    fc.integer({ min: -2_000, max: 4_000 }),
  );
  return fc.array(fc.record({ micros, operation }), { minLength: 1, maxLength });
}

export const EACH_AND_ALL: readonly (readonly [string, readonly Algorithm[]])[] = [
  ...ALGORITHMS.map((algorithm) => [algorithm, [algorithm]] as const),
  ['all of them', ALGORITHMS],
];
