import type { LockoutPolicy } from '../domain/credentials/lockout-policy.ts';

/** Beyond this no lock doubles any more; keeps the power within what a double holds. */
const MAX_DOUBLINGS = 40;

/**
 * SQL for the end of the lock that a failure brings about; null where it brings none. In SQL, so that failures at one
 * moment are each counted.
 *
 * @param failures SQL of the count, this failure included.
 * @param at SQL of the failure's moment.
 */
export function lockUntil(failures: string, at: string, { threshold, baseMs, maxMs }: LockoutPolicy): string {
  const doublings = `least(${MAX_DOUBLINGS}, (${failures}) - ${threshold})`;
  return `case when (${failures}) >= ${threshold}
    then ${at} + least(${maxMs}, ${baseMs} * power(2, ${doublings})) * interval '1 ms' end`;
}
