import type { EntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidV7 } from 'uuid';
import type { RecoveryCodes } from '../domain/second-factors/recovery-codes.ts';
import type { Uuid } from '../domain/uuid.ts';
import { query } from './sql.ts';

/** Recovery codes in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class RecoveryCodeRepository implements RecoveryCodes {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async replace({
    userId,
    hashes,
    at,
  }: {
    readonly userId: Uuid;
    readonly hashes: readonly Buffer[];
    readonly at: Date;
  }): Promise<void> {
    await this.removeAll(userId);
    await query(
      this.#em,
      `insert into user_service.recovery_codes (id, user_id, code_hash, created_at)
       values ${hashes.map(() => '(?, ?, ?, ?)').join(', ')}`,
      hashes.flatMap((hash) => [uuidV7(), userId, hash, at]),
    );
  }

  async use({
    userId,
    hash,
    at,
  }: {
    readonly userId: Uuid;
    readonly hash: Buffer;
    readonly at: Date;
  }): Promise<number | null> {
    const used = await query(
      this.#em,
      `update user_service.recovery_codes set used_at = ?
       where user_id = ? and code_hash = ? and used_at is null returning id`,
      [at, userId, hash],
    );
    if (used.length === 0) return null;
    const [row] = await query<{ left: number }>(
      this.#em,
      `select count(*)::int as left from user_service.recovery_codes where user_id = ? and used_at is null`,
      [userId],
    );
    return row?.left ?? 0;
  }

  async removeAll(userId: Uuid): Promise<void> {
    await query(this.#em, 'delete from user_service.recovery_codes where user_id = ?', [userId]);
  }
}
