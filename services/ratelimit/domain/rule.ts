import { createHash } from 'node:crypto';
import { InvalidRule } from './errors.ts';

/** How units are counted. The exact sliding-window log keeps one entry a unit: for limits up to {@link MAX_LIMIT}. */
export type Algorithm = 'SLIDING_WINDOW_LOG';

/**
 * What happens while the shared store is away: `FAIL_LOCAL` counts in this process alone, `FAIL_OPEN` allows without
 * counting, `FAIL_CLOSED` denies.
 */
export type StoreFailurePolicy = 'FAIL_LOCAL' | 'FAIL_OPEN' | 'FAIL_CLOSED';

/** How much of one endpoint one identifier may use. Immutable; made by {@link defineRule}. */
export interface Rule {
  /** The endpoint that the rule is for: 1 to 128 characters of `A-Z a-z 0-9 _ . : / -`. */
  readonly name: string;
  /** Units in any window: 1 to {@link MAX_LIMIT}. */
  readonly limit: number;
  /** Length of the sliding window in µs: 1 ms to 366 days. */
  readonly windowMicros: number;
  readonly algorithm: Algorithm;
  /** Roles that pass without being counted; sorted, each once. */
  readonly bypassRoles: readonly string[];
  readonly onStoreFailure: StoreFailurePolicy;
  /** 16 hex digits of SHA-256 over all other fields: equal content, equal version. */
  readonly version: string;
}

/** What a rule is made of: all of {@link Rule} but what is computed or has a default. */
export interface RuleDefinition {
  readonly name: string;
  readonly limit: number;
  readonly windowMicros: number;
  readonly algorithm?: Algorithm;
  /** Default: `admin`. */
  readonly bypassRoles?: readonly string[];
  readonly onStoreFailure: StoreFailurePolicy;
}

/** A full log of this size takes some 10 MB of Redis and tens of milliseconds to write at once: the sane end. */
export const MAX_LIMIT = 100_000;
export const MIN_WINDOW_MICROS = 1_000;
export const MAX_WINDOW_MICROS = 366 * 86_400 * 1_000_000;

const NAME = /^[A-Za-z0-9_.:/-]{1,128}$/;
const FAILURE_POLICIES: readonly string[] = ['FAIL_LOCAL', 'FAIL_OPEN', 'FAIL_CLOSED'];

/**
 * Makes a rule out of its definition.
 *
 * @throws InvalidRule naming the field that breaks the bounds given at {@link Rule}.
 */
export function defineRule(definition: RuleDefinition): Rule {
  const { name, limit, windowMicros, algorithm = 'SLIDING_WINDOW_LOG', onStoreFailure } = definition;
  const refuse = (field: string, description: string): never => {
    throw new InvalidRule(name, field, description);
  };
  if (!NAME.test(name)) refuse('name', 'must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -');
  if (!isIntegerWithin(limit, 1, MAX_LIMIT)) refuse('limit', `must be an integer from 1 to ${MAX_LIMIT}`);
  if (!isIntegerWithin(windowMicros, MIN_WINDOW_MICROS, MAX_WINDOW_MICROS)) {
    refuse('windowMicros', 'must be an integer number of µs from 1 ms to 366 days');
  }
  if (algorithm !== 'SLIDING_WINDOW_LOG') refuse('algorithm', 'must be SLIDING_WINDOW_LOG');
  if (!FAILURE_POLICIES.includes(onStoreFailure)) {
    refuse('onStoreFailure', `must be one of ${FAILURE_POLICIES.join(', ')}`);
  }
  const bypassRoles = [...new Set(definition.bypassRoles ?? ['admin'])].sort();
  if (bypassRoles.includes('')) refuse('bypassRoles', 'must not hold an empty role');

  const content = {
    name,
    limit,
    windowMicros,
    algorithm,
    bypassRoles: Object.freeze(bypassRoles),
    onStoreFailure,
  };
  const version = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
  return Object.freeze({ ...content, version });
}

function isIntegerWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
