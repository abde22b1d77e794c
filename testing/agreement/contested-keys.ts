import { ALGORITHMS, type Algorithm } from '../../services/ratelimit/domain/algorithm.ts';
import { defineLimit, type Limit, type LimitDefinition } from '../../services/ratelimit/domain/limit.ts';
import { limitKey } from '../../services/ratelimit/domain/limit-key.ts';
import { Random } from './random.ts';

/** A key that all processes count at, and the limits that it has one after the other: often just one. */
export interface ContestedKey {
  readonly key: string;
  readonly versions: readonly [Limit, ...Limit[]];
}

const MS = 1_000;
const DAY = 86_400_000 * MS;
/** What a key is asked for a second, by the processes' clocks: some windows fill up then, others don't. */
const DEMAND = 200;
/** Keys that fill up, edited and not, and whether they are shadows. */
const KINDS = [
  { name: 'short', windows: [20 * MS + 7], shadow: false },
  { name: 'middle', windows: [250 * MS + 3], shadow: false },
  { name: 'long', windows: [5_000 * MS], shadow: false },
  { name: 'window', windows: [100 * MS, 300 * MS + 1, 33 * MS, 2_000 * MS], shadow: false },
  { name: 'limit', windows: [200 * MS, 200 * MS, 200 * MS], shadow: false },
  { name: 'both', windows: [1 * MS, 60 * MS, 1_000 * MS, 777_777], shadow: false },
  { name: 'shadow', windows: [150 * MS], shadow: true },
  { name: 'edited', windows: [90 * MS, 400 * MS], shadow: true },
] as const;

/** The keys of one run; the same for each process that has its seed. */
export function contestedKeys(seed: number): readonly ContestedKey[] {
  const random = new Random(seed);
  return ALGORITHMS.flatMap((algorithm) => [
    ...KINDS.map(({ name, windows, shadow }) => {
      const definitions = windows.map((windowMicros) => {
        const limit = randomLimit(random, algorithm, windowMicros);
        const burst = algorithm === 'TOKEN_BUCKET' ? { burst: random.integer(1, 2 * limit) } : {};
        return { name, algorithm, limit, windowMicros, shadow, ...burst };
      });
      return contested(definitions);
    }),
    contested([extreme(algorithm)]),
  ]);
}

function randomLimit(random: Random, algorithm: Algorithm, windowMicros: number): number {
  const most = algorithm === 'CONCURRENCY' ? 40 : 400;
  const wanted = DEMAND * (windowMicros / 1e6) * (0.3 + random.next());
  return Math.max(random.integer(1, 3), Math.min(most, Math.round(wanted)));
}

/** Where the numbers are the largest that an algorithm can have, or that stay affordable. */
function extreme(algorithm: Algorithm): LimitDefinition {
  const name = 'extreme';
  if (algorithm === 'SLIDING_WINDOW_LOG') return { name, algorithm, limit: 2_000, windowMicros: 6_000 * MS };
  if (algorithm === 'CONCURRENCY') return { name, algorithm, limit: 150, windowMicros: 400 * DAY };
  return { name, algorithm, limit: 999_999_937, windowMicros: 400 * DAY };
}

function contested(definitions: readonly LimitDefinition[]): ContestedKey {
  const [first, ...others] = definitions.map((definition) =>
    defineLimit(definition, (field, description) => {
      throw new RangeError(`${field} ${description}`);
    }),
  );
  if (first === undefined) throw new RangeError('a key needs a limit');
  return { key: limitKey('agreement', 'everybody') + first.keySuffix, versions: [first, ...others] };
}
