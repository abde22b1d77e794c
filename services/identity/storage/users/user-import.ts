import type { EntityManager } from '@mikro-orm/postgresql';
import type { ImportedUser } from '../../domain/users.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { query } from '../sql.ts';

/**
 * Adds users in one statement: those whose address nobody has who is not deleted, and the first of those with the same
 * address. In the order of addresses, so that two imports that overlap never wait for each other.
 */
export async function insertUsers(
  em: EntityManager,
  users: readonly ImportedUser[],
): Promise<ReadonlySet<Uuid>> {
  const rows = users.map((user) => ({
    id: user.id,
    email: user.email.written,
    email_normalized: user.email.normalized,
    password_hash: user.passwordHash,
    first_name: user.firstName,
    last_name: user.lastName,
    phone: user.phone,
    status: user.status,
    roles: user.roles,
    created_at: user.createdAt,
    updated_at: user.importedAt,
    email_verified_at: user.emailVerifiedAt ?? null,
  }));
  const inserted = await query<{ id: Uuid }>(
    em,
    `insert into user_service.users (id, email, email_normalized, password_hash, first_name, last_name, phone, status,
       roles, created_at, updated_at, email_verified_at, version)
     select id, email, email_normalized, password_hash, first_name, last_name, phone, status, roles, created_at,
       updated_at, email_verified_at, 1
     from rows from (jsonb_to_recordset(?::jsonb) as (id uuid, email text, email_normalized text, password_hash text,
       first_name text, last_name text, phone text, status text, roles text[], created_at timestamptz,
       updated_at timestamptz, email_verified_at timestamptz)) with ordinality as row(id, email, email_normalized,
       password_hash, first_name, last_name, phone, status, roles, created_at, updated_at, email_verified_at, place)
     order by email_normalized collate "C", place
     on conflict (email_normalized) where deleted_at is null do nothing
     returning id`,
    [JSON.stringify(rows)],
  );
  return new Set(inserted.map(({ id }) => id));
}
