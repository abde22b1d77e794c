import type { EntityManager } from '@mikro-orm/postgresql';
import { query } from './sql.ts';

/** How many waiting mails are counted. */
const MOST_COUNTED = 10_000;

/**
 * Mails, and requests that mails will answer, that wait to be sent: how many, 10,000 at most, and how long the oldest of
 * them has waited, in milliseconds. Their ids are in the order of their creation (UUIDv7, RFC 9562 section 5.7).
 *
 * @throws DatabaseUnavailable
 */
export async function readMailBacklog(
  em: EntityManager,
): Promise<{ readonly waiting: number; readonly oldestMs: number }> {
  const [row] = await query<{ waiting: number; oldest_ms: number }>(
    em,
    `select count(*)::int as waiting,
       coalesce(greatest(extract(epoch from clock_timestamp() - min(created_at)) * 1000, 0), 0)::float8 as oldest_ms
     from (select created_at from user_service.outgoing_mails order by id limit ${MOST_COUNTED}) as waiting`,
    [],
  );
  return { waiting: row?.waiting ?? 0, oldestMs: Math.round(row?.oldest_ms ?? 0) };
}
