import type { EntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidV7 } from 'uuid';
import type {
  OneTimePurpose,
  OneTimeTokenReads,
  OneTimeTokens,
  OneTimeTokenUse,
  StoredOneTimeToken,
} from '../domain/one-time-token.ts';
import type { Uuid } from '../domain/uuid.ts';
import { query } from './sql.ts';

/** One-time tokens in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class OneTimeTokenRepository implements OneTimeTokens, OneTimeTokenReads {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async replace(token: StoredOneTimeToken): Promise<void> {
    const { userId, purpose, hash, emailNormalized, createdAt, expiresAt } = token;
    await this.endOpen(userId, createdAt, purpose);
    await query(
      this.#em,
      `insert into user_service.one_time_tokens (id, user_id, purpose, token_hash, email_normalized, created_at, expires_at)
       values (?, ?, ?, ?, ?, ?, ?)`,
      [uuidV7(), userId, purpose, hash, emailNormalized, createdAt, expiresAt],
    );
  }

  async use({
    hash,
    purpose,
    at,
  }: OneTimeTokenUse): Promise<{ readonly userId: Uuid; readonly emailNormalized: string } | null> {
    // The user's row first, as everything takes the two in this order. Who waited for it looks at the token anew.
    const [row] = await query<{ user_id: Uuid; email_normalized: string }>(
      this.#em,
      `with owner as materialized (
         select u.id, u.email_normalized from user_service.users u
         where u.deleted_at is null and u.id = (
           select user_id from user_service.one_time_tokens
           where token_hash = ? and purpose = ? and used_at is null and expires_at > ?)
         for no key update)
       update user_service.one_time_tokens t set used_at = ? from owner
       where t.token_hash = ? and t.purpose = ? and t.used_at is null and t.expires_at > ?
         and t.user_id = owner.id and t.email_normalized = owner.email_normalized
       returning t.user_id, t.email_normalized`,
      [hash, purpose, at, at, hash, purpose, at],
    );
    return row === undefined ? null : { userId: row.user_id, emailNormalized: row.email_normalized };
  }

  async endOpen(userId: Uuid, at: Date, purpose?: OneTimePurpose): Promise<void> {
    await query(
      this.#em,
      `update user_service.one_time_tokens set used_at = ?
       where user_id = ? and used_at is null ${purpose === undefined ? '' : 'and purpose = ?'}`,
      [at, userId, ...(purpose === undefined ? [] : [purpose])],
    );
  }

  async findToken({
    hash,
    purpose,
    at,
  }: OneTimeTokenUse): Promise<{ readonly userId: Uuid; readonly isUsable: boolean } | null> {
    const [row] = await query<{ user_id: Uuid; is_usable: boolean }>(
      this.#em,
      `select t.user_id, t.used_at is null and t.expires_at > ? and t.email_normalized = u.email_normalized as is_usable
       from user_service.one_time_tokens t join user_service.users u on u.id = t.user_id
       where t.token_hash = ? and t.purpose = ? and u.deleted_at is null`,
      [at, hash, purpose],
    );
    return row === undefined ? null : { userId: row.user_id, isUsable: row.is_usable };
  }

  /** Deletes up to `most` tokens that expired before `before`. Returns how many. */
  async deleteExpired(before: Date, most: number): Promise<number> {
    const rows = await query(
      this.#em,
      `delete from user_service.one_time_tokens where id in (
         select id from user_service.one_time_tokens where expires_at < ? limit ${most} for update skip locked)
       returning 1`,
      [before],
    );
    return rows.length;
  }
}
