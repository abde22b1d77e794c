import type { EntityManager } from '@mikro-orm/postgresql';
import type { Uuid } from '../../domain/uuid.ts';
import { query } from '../sql.ts';

/** Events of one statement: far below the statement time-out, and few row locks at once. */
const BATCH = 5000;
/** Before every id when read from the oldest on: RFC 9562 section 5.9. */
const NIL_UUID = '00000000-0000-0000-0000-000000000000' as Uuid;

/** See SecurityEvents.erasePersonal. */
export async function erasePersonal(em: EntityManager, userId: Uuid): Promise<number> {
  let erased = 0;
  let after = NIL_UUID;
  for (;;) {
    const last = await endOfBatch(em, userId, after);
    if (last === null) return erased;
    erased += await eraseRange(em, userId, after, last);
    after = last;
  }
}

/** The last id of the next batch; null where the events of the user are at their end. */
async function endOfBatch(em: EntityManager, userId: Uuid, after: Uuid): Promise<Uuid | null> {
  const rows = await query<{ id: Uuid }>(
    em,
    `select id from (
       select id from user_service.security_events where user_id = ? and id > ? order by id limit ${BATCH}
     ) as batch order by id desc limit 1`,
    [userId, after],
  );
  return rows[0]?.id ?? null;
}

/** A range of ids and not a list of them: the index on (user, id) finds it, whatever the planner guesses. */
async function eraseRange(em: EntityManager, userId: Uuid, after: Uuid, last: Uuid): Promise<number> {
  const [counted] = await query<{ erased: number }>(
    em,
    `with erased as (
       update user_service.security_events
       set device_id = null, device_fingerprint = null, ip_address = null, user_agent = null, personal_salt = null
       where user_id = ? and id > ? and id <= ?
         and (personal_salt is not null or device_id is not null or device_fingerprint is not null
           or ip_address is not null or user_agent is not null)
       returning 1
     ) select count(*)::int as erased from erased`,
    [userId, after, last],
  );
  return counted?.erased ?? 0;
}
