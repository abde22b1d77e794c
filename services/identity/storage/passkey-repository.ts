import type { EntityManager } from '@mikro-orm/postgresql';
import type { Passkey } from '../domain/passkeys/passkey.ts';
import type { Passkeys } from '../domain/second-factors/passkeys.ts';
import type { Uuid } from '../domain/uuid.ts';
import { PASSKEY_COLUMNS, type PasskeyColumns, toPasskey } from './passkey-columns.ts';
import { query } from './sql.ts';

/** Passkeys in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class PasskeyRepository implements Passkeys {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async insert(passkey: Passkey): Promise<boolean> {
    const rows = await query(
      this.#em,
      `insert into user_service.passkeys (${PASSKEY_COLUMNS})
       values (?, ?, ?, ?, ?, ?, array(select jsonb_array_elements_text(?::jsonb)), ?, ?, ?, ?, ?)
       on conflict (credential_id) do nothing returning id`,
      [
        passkey.id,
        passkey.userId,
        passkey.credentialId,
        passkey.publicKey,
        passkey.signCount,
        passkey.aaguid,
        JSON.stringify(passkey.transports),
        passkey.name,
        passkey.deviceType,
        passkey.backedUp,
        passkey.createdAt,
        passkey.lastUsedAt,
      ],
    );
    return rows.length === 1;
  }

  async listByUser(userId: Uuid): Promise<Passkey[]> {
    const rows = await query<PasskeyColumns>(
      this.#em,
      `select ${PASSKEY_COLUMNS} from user_service.passkeys where user_id = ? order by created_at, id`,
      [userId],
    );
    return rows.map(toPasskey);
  }

  async findByCredentialId(credentialId: Buffer): Promise<Passkey | null> {
    const [row] = await query<PasskeyColumns>(
      this.#em,
      `select ${PASSKEY_COLUMNS} from user_service.passkeys where credential_id = ?`,
      [credentialId],
    );
    return row === undefined ? null : toPasskey(row);
  }

  async recordUse(use: {
    readonly id: Uuid;
    readonly checkedSignCount: number;
    readonly signCount: number;
    readonly backedUp: boolean;
    readonly at: Date;
  }): Promise<boolean> {
    // The user's row first, as everything takes the two in this order: removing a passkey holds the user.
    const rows = await query(
      this.#em,
      `with owner as materialized (
         select id from user_service.users
         where id = (select user_id from user_service.passkeys where id = ?) for no key update)
       update user_service.passkeys p
       set sign_count = ?, backed_up = ?, last_used_at = greatest(p.last_used_at, ?) from owner
       where p.id = ? and p.user_id = owner.id and p.sign_count = ? returning p.id`,
      [use.id, use.signCount, use.backedUp, use.at, use.id, use.checkedSignCount],
    );
    return rows.length === 1;
  }

  async rename(change: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly name: string | null;
  }): Promise<Passkey | null> {
    const [row] = await query<PasskeyColumns>(
      this.#em,
      `update user_service.passkeys set name = ? where id = ? and user_id = ? returning ${PASSKEY_COLUMNS}`,
      [change.name, change.id, change.userId],
    );
    return row === undefined ? null : toPasskey(row);
  }

  async remove(id: Uuid, userId: Uuid): Promise<boolean> {
    const rows = await query(
      this.#em,
      'delete from user_service.passkeys where id = ? and user_id = ? returning id',
      [id, userId],
    );
    return rows.length === 1;
  }

  async removeAll(userId: Uuid): Promise<number> {
    const rows = await query(this.#em, 'delete from user_service.passkeys where user_id = ? returning id', [
      userId,
    ]);
    return rows.length;
  }
}
