import type { EntityManager } from '@mikro-orm/postgresql';
import type { FailureFindings } from '../domain/credential-store.ts';
import type { Uuid } from '../domain/uuid.ts';
import { query } from './sql.ts';

/** Stands for nobody (RFC 9562 section 5.9). */
const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const DAY_MS = 24 * 3_600_000;

/**
 * SQL for a user's events of a type since so long before a time. Its placeholders: the user, the time, the time.
 * The bound on ids, which lead to the events, is of the database's clock where that one is behind.
 */
function eventsSince(type: 'login_failed' | 'failure_burst', ms: number): string {
  const before = `interval '1 ms' * ${ms}`;
  return `select from user_service.security_events where user_id = ? and event_type = '${type}'
    and id > user_service.uuid_floor(least(?::timestamptz, now()) - ${before} - interval '1 minute')
    and created_at > ?::timestamptz - ${before}`;
}

/**
 * Whether a failure, whose event is still to be written, is the one that makes a burst. Null where it is not: there are too
 * few others in the window, or one of them has made it. The same statement whether anybody is known or not, but for the
 * one that makes it.
 *
 * @param burst.failures how many make a burst, with this one; 2 or more
 */
export async function findBurst(
  em: EntityManager,
  burst: {
    readonly userId: Uuid | null;
    readonly at: Date;
    readonly failures: number;
    readonly windowMs: number;
  },
): Promise<Pick<NonNullable<FailureFindings['burst']>, 'email' | 'isFirstOfDay'> | null> {
  const { userId, at, failures, windowMs } = burst;
  const about = [userId ?? NIL_UUID, at, at];
  const others = failures - 1;
  const [counted] = await query<{ is_burst: boolean }>(
    em,
    `select (select count(*) from (${eventsSince('login_failed', windowMs)} order by id desc limit ${others}) others) = ${others}
       and not exists (${eventsSince('failure_burst', windowMs)}) as is_burst`,
    [...about, ...about],
  );
  if (counted?.is_burst !== true || userId === null) return null;
  // Of failures at one moment one makes it. The others need not wait: where it is taken back, the next one does.
  const [lock] = await query<{ mine: boolean }>(
    em,
    `select pg_try_advisory_xact_lock(hashtextextended('user_service.failure_burst.' || ?, 0)) as mine`,
    [userId],
  );
  if (lock?.mine !== true) return null;
  // Looked at once more: the one before may have had the lock until now.
  const [row] = await query<{ email: string; is_first_of_day: boolean }>(
    em,
    `select email, not exists (${eventsSince('failure_burst', DAY_MS)}) as is_first_of_day
     from user_service.users where id = ? and deleted_at is null
       and not exists (${eventsSince('failure_burst', windowMs)})`,
    [...about, userId, ...about],
  );
  return row === undefined ? null : { email: row.email, isFirstOfDay: row.is_first_of_day };
}
