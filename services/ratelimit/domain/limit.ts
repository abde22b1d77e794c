import {
  ALGORITHMS,
  type Algorithm,
  MAX_LOG_UNITS,
  MAX_UNITS,
  MAX_WINDOW_MICROS,
  MIN_WINDOW_MICROS,
} from './algorithm.ts';

/** One bound on one key. Immutable; made by {@link defineLimit}. */
export interface Limit {
  /** Tells the limits of a rule apart and names their keys: what was counted follows the name. Often ''. */
  readonly name: string;
  readonly algorithm: Algorithm;
  /** Units a window; for `CONCURRENCY`, units held at one time. */
  readonly limit: number;
  /** Length of the window in µs: 1 ms to 400 days. For `CONCURRENCY`, how long a lease lasts. */
  readonly windowMicros: number;
  /** The most units at once: the bucket's size of `TOKEN_BUCKET`; of all others the limit. */
  readonly burst: number;
  /** Counted apart and never enforced. */
  readonly shadow: boolean;
  /** What follows {@link limitKey} in the key: `:<name>`, a sign for the algorithm, one for a shadow. */
  readonly keySuffix: string;
}

/** What a limit is made of: all of {@link Limit} but what is computed or has a default. */
export interface LimitDefinition {
  /** Default: ''. At most 32 characters of `A-Z a-z 0-9 _ -`. */
  readonly name?: string;
  /** Default: `SLIDING_WINDOW_LOG`. */
  readonly algorithm?: Algorithm;
  readonly limit: number;
  readonly windowMicros: number;
  /** `TOKEN_BUCKET` only; default: the limit. */
  readonly burst?: number;
  /** Default: false. */
  readonly shadow?: boolean;
}

const NAME = /^[A-Za-z0-9_-]{0,32}$/;

/** An algorithm's state is its own: a limit that changes its algorithm must not meet what the other one left. */
const KEY_SIGN: Readonly<Record<Algorithm, string>> = {
  SLIDING_WINDOW_LOG: '',
  SLIDING_WINDOW_COUNTER: '~c',
  TOKEN_BUCKET: '~b',
  FIXED_WINDOW: '~f',
  CONCURRENCY: '~l',
};

/**
 * Makes a limit out of its definition. `refuse` is called for each field that breaks its bounds; where it does not throw
 * the limit that is returned must not be used.
 */
export function defineLimit(
  definition: LimitDefinition,
  refuse: (field: string, description: string) => void,
): Limit {
  const { name = '', algorithm = 'SLIDING_WINDOW_LOG', limit, windowMicros, shadow = false } = definition;
  if (!NAME.test(name)) refuse('name', 'must be at most 32 characters of A-Z a-z 0-9 _ -');
  if (!ALGORITHMS.includes(algorithm)) refuse('algorithm', `must be one of ${ALGORITHMS.join(', ')}`);
  const most = algorithm === 'SLIDING_WINDOW_LOG' ? MAX_LOG_UNITS : MAX_UNITS;
  if (!isIntegerWithin(limit, 1, most)) {
    const hint = most === MAX_UNITS ? '' : '; larger ones take another algorithm';
    refuse('limit', `must be an integer from 1 to ${most} with ${algorithm}${hint}`);
  }
  if (!isIntegerWithin(windowMicros, MIN_WINDOW_MICROS, MAX_WINDOW_MICROS)) {
    refuse('window', 'must be from 1 ms to 400 days, in whole microseconds');
  }
  const { burst = limit } = definition;
  // Without one it is the limit, whose own faults are told already.
  if (definition.burst !== undefined) checkBurst(definition.burst, definition, refuse);
  const keySuffix = keySuffixOf(name, algorithm, shadow);
  return Object.freeze({ name, algorithm, limit, windowMicros, burst, shadow, keySuffix });
}

/** What follows {@link limitKey} in the key of a limit: see {@link Limit.keySuffix}. */
export function keySuffixOf(name: string, algorithm: Algorithm, shadow: boolean): string {
  return `${name === '' ? '' : `:${name}`}${KEY_SIGN[algorithm]}${shadow ? '!' : ''}`;
}

function checkBurst(
  burst: number,
  { algorithm, limit, windowMicros }: LimitDefinition,
  refuse: (field: string, description: string) => void,
): void {
  if (algorithm !== 'TOKEN_BUCKET') {
    if (burst !== limit) refuse('burst', 'is for TOKEN_BUCKET only');
  } else if (!isIntegerWithin(burst, 1, MAX_UNITS)) {
    refuse('burst', `must be an integer from 1 to ${MAX_UNITS}`);
  } else if (limit > 0 && (burst / limit) * windowMicros > MAX_WINDOW_MICROS) {
    refuse('burst', 'must refill within 400 days: burst / limit × window is longer');
  }
}

function isIntegerWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
