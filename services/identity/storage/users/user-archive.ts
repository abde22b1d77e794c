import type { EntityManager } from '@mikro-orm/postgresql';
import type { ArchivedUsers, Archiving } from '../../domain/users/archived-users.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { query } from '../sql.ts';
import { eraseUser } from './user-erasure.ts';

/** Archived users in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class ArchivedUserRepository implements ArchivedUsers {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async findDue(deletedBefore: Date, most: number): Promise<readonly Uuid[]> {
    const rows = await query<{ id: Uuid }>(
      this.#em,
      'select id from user_service.users where deleted_at < ? order by deleted_at limit ?',
      [deletedBefore, most],
    );
    return rows.map(({ id }) => id);
  }

  async archive(id: Uuid, { deletedBefore, at }: Archiving): Promise<boolean> {
    // Held before anything is written: somebody may be restoring the user.
    const [held] = await query<{ version: number }>(
      this.#em,
      'select version from user_service.users where id = ? and deleted_at < ? for update skip locked',
      [id, deletedBefore],
    );
    if (held === undefined) return false;
    await query(
      this.#em,
      `insert into user_service.archived_users (id, email, email_normalized, first_name, last_name, phone, roles,
         created_at, last_login_at, deleted_at, archived_at)
       select id, email, email_normalized, first_name, last_name, phone, roles, created_at, last_login_at, deleted_at, ?
       from user_service.users where id = ?`,
      [at, id],
    );
    await eraseUser(this.#em, { id, version: held.version });
    return true;
  }

  async erase(id: Uuid): Promise<boolean> {
    const erased = await query(
      this.#em,
      'delete from user_service.archived_users where id = ? returning 1 as erased',
      [id],
    );
    return erased.length > 0;
  }
}
