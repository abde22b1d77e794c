import type { EntityManager } from '@mikro-orm/postgresql';
import type {
  NewTotpAuthenticator,
  TotpAuthenticator,
  TotpAuthenticators,
} from '../domain/second-factors/totp-authenticators.ts';
import type { SecretBox } from '../domain/secret-box.ts';
import type { Uuid } from '../domain/uuid.ts';
import { query } from './sql.ts';

/** What the secret box is told that a secret is for. Its owner is the user: a secret moved to another opens no more. */
export const TOTP_PURPOSE = 'totp';

/** Authenticator apps in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class TotpAuthenticatorRepository implements TotpAuthenticators {
  readonly #em: EntityManager;
  readonly #secretBox: SecretBox;

  constructor(em: EntityManager, secretBox: SecretBox) {
    this.#em = em;
    this.#secretBox = secretBox;
  }

  async putPending({ id, userId, secret, createdAt, expiresAt }: NewTotpAuthenticator): Promise<void> {
    const { keyId, ciphertext } = this.#secretBox.seal(secret, { purpose: TOTP_PURPOSE, owner: userId });
    // With an id of its own: who is about to confirm the one before confirms nothing.
    await query(
      this.#em,
      `insert into user_service.totp_authenticators (id, user_id, secret, secret_key_id, created_at, expires_at)
       values (?, ?, ?, ?, ?, ?)
       on conflict (user_id) where confirmed_at is null do update set id = excluded.id, secret = excluded.secret,
         secret_key_id = excluded.secret_key_id, created_at = excluded.created_at, expires_at = excluded.expires_at`,
      [id, userId, ciphertext, keyId, createdAt, expiresAt],
    );
  }

  async findPending(userId: Uuid, at: Date): Promise<TotpAuthenticator | null> {
    return await this.#find(userId, 'confirmed_at is null and expires_at > ?', at);
  }

  async findConfirmed(userId: Uuid): Promise<TotpAuthenticator | null> {
    return await this.#find(userId, 'confirmed_at is not null');
  }

  async #find(
    userId: Uuid,
    condition: string,
    ...values: readonly unknown[]
  ): Promise<TotpAuthenticator | null> {
    const [row] = await query<{
      id: Uuid;
      secret: Buffer;
      secret_key_id: string;
      last_step: string | number | null;
    }>(
      this.#em,
      `select id, secret, secret_key_id, last_step from user_service.totp_authenticators
       where user_id = ? and ${condition}`,
      [userId, ...values],
    );
    if (row === undefined) return null;
    const sealed = { keyId: row.secret_key_id, ciphertext: row.secret };
    return {
      id: row.id,
      secret: this.#secretBox.open(sealed, { purpose: TOTP_PURPOSE, owner: userId }),
      lastStep: row.last_step === null ? null : Number(row.last_step),
    };
  }

  async confirm(confirmation: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly step: number;
    readonly at: Date;
  }): Promise<{ readonly replaced: boolean } | null> {
    const { id, userId, step, at } = confirmation;
    // Two statements: the unique index looks at each row as it is written, and takes no second one in force.
    const before = await query(
      this.#em,
      `delete from user_service.totp_authenticators
       where user_id = ? and confirmed_at is not null and exists (
         select from user_service.totp_authenticators
         where id = ? and user_id = ? and confirmed_at is null and expires_at > ?)
       returning id`,
      [userId, id, userId, at],
    );
    const confirmed = await query(
      this.#em,
      `update user_service.totp_authenticators set confirmed_at = ?, expires_at = null, last_step = ?
       where id = ? and user_id = ? and confirmed_at is null and expires_at > ? returning id`,
      [at, step, id, userId, at],
    );
    return confirmed.length === 1 ? { replaced: before.length === 1 } : null;
  }

  async useStep({
    id,
    userId,
    step,
  }: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly step: number;
  }): Promise<boolean> {
    const rows = await query(
      this.#em,
      `update user_service.totp_authenticators set last_step = ?
       where id = ? and user_id = ? and confirmed_at is not null and last_step < ? returning id`,
      [step, id, userId, step],
    );
    return rows.length === 1;
  }

  async remove(userId: Uuid): Promise<boolean> {
    const rows = await query<{ was_in_force: boolean }>(
      this.#em,
      `delete from user_service.totp_authenticators where user_id = ?
       returning confirmed_at is not null as was_in_force`,
      [userId],
    );
    return rows.some((row) => row.was_in_force);
  }
}
