import type { EntityManager } from '@mikro-orm/postgresql';
import { EtagMismatch } from '../../domain/errors.ts';
import type { Erasure, UserState } from '../../domain/users.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { AnsweredRequestRepository } from '../answered-request-repository.ts';
import { query } from '../sql.ts';

/** Rows a statement: far below what the statement time-out allows. */
const BATCH = 5_000;

/** What refers to a user, in an order in which nothing refers to what goes. */
const OWNED = [
  'refresh_token_families',
  'sessions_history',
  'trusted_devices',
  'one_time_tokens',
  'outgoing_mails',
] as const;

/**
 * Deletes a deleted user's row and what belongs to it, in statements that are short however much there is.
 *
 * @throws EtagMismatch where the user is not in this state, or is not deleted.
 */
export async function eraseUser(em: EntityManager, { id, version }: UserState): Promise<Erasure> {
  let sessions = 0;
  for (const table of OWNED) {
    const deleted = await deleteOwned(em, table, id);
    if (table === 'sessions_history') sessions = deleted;
  }
  await new AnsweredRequestRepository(em, []).forgetUser(id);
  const erased = await query(
    em,
    `delete from user_service.users where id = ? and version = ? and deleted_at is not null returning id`,
    [id, version],
  );
  if (erased.length === 0) throw new EtagMismatch();
  return { sessions };
}

async function deleteOwned(em: EntityManager, table: (typeof OWNED)[number], userId: Uuid): Promise<number> {
  let total = 0;
  for (;;) {
    const [row] = await query<{ deleted: number }>(
      em,
      `with gone as (
         delete from user_service.${table}
         where id in (select id from user_service.${table} where user_id = ? limit ${BATCH})
         returning 1)
       select count(*)::int as deleted from gone`,
      [userId],
    );
    const deleted = row?.deleted ?? 0;
    total += deleted;
    if (deleted < BATCH) return total;
  }
}
