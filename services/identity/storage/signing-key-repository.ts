import type { EntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidV7 } from 'uuid';
import type {
  PublicJwk,
  SigningAlgorithm,
  SigningKeyStatus,
  StoredSigningKey,
} from '../domain/signing-key.ts';
import type { SigningKeyStore } from '../domain/signing-key-store.ts';
import { query, type TimestampText, toDate, toDateOrNull } from './sql.ts';

/** Any number that nothing else in the database locks: the ASCII codes of `optix-sk`, as a bigint. */
const LOCK_KEY = 0x6f_70_74_69_78_2d_73_6bn;

/** Signing keys in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class SigningKeyRepository implements SigningKeyStore {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async list(): Promise<StoredSigningKey[]> {
    const rows = await query<{
      kid: string;
      algorithm: SigningAlgorithm;
      status: SigningKeyStatus;
      public_jwk: PublicJwk;
      private_key: Buffer;
      private_key_key_id: string;
      created_at: TimestampText;
      activated_at: TimestampText | null;
      retired_at: TimestampText | null;
    }>(
      this.#em,
      `select kid, algorithm, status, public_jwk, private_key, private_key_key_id, created_at, activated_at, retired_at
       from user_service.signing_keys order by created_at, id`,
      [],
    );
    return rows.map((row) => ({
      kid: row.kid,
      algorithm: row.algorithm,
      status: row.status,
      createdAt: toDate(row.created_at),
      activatedAt: toDateOrNull(row.activated_at),
      retiredAt: toDateOrNull(row.retired_at),
      publicJwk: row.public_jwk,
      privateKey: { keyId: row.private_key_key_id, ciphertext: row.private_key },
    }));
  }

  async insert(key: StoredSigningKey): Promise<boolean> {
    const rows = await query<{ kid: string }>(
      this.#em,
      `insert into user_service.signing_keys (id, kid, algorithm, status, public_jwk, private_key, private_key_key_id,
         created_at, activated_at, retired_at)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict do nothing
       returning kid`,
      [
        uuidV7(),
        key.kid,
        key.algorithm,
        key.status,
        JSON.stringify(key.publicJwk),
        Buffer.from(key.privateKey.ciphertext),
        key.privateKey.keyId,
        key.createdAt,
        key.activatedAt,
        key.retiredAt,
      ],
    );
    return rows.length === 1;
  }

  async lock(): Promise<void> {
    await query(this.#em, `select pg_advisory_xact_lock(${LOCK_KEY})`, []);
  }

  async retireActive(at: Date): Promise<void> {
    await query(
      this.#em,
      `update user_service.signing_keys set status = 'retired', retired_at = ? where status = 'active'`,
      [at],
    );
  }

  async activateNext(at: Date): Promise<void> {
    await query(
      this.#em,
      `update user_service.signing_keys set status = 'active', activated_at = ? where status = 'next'`,
      [at],
    );
  }

  async delete(kid: string): Promise<boolean> {
    const rows = await query<{ kid: string }>(
      this.#em,
      'delete from user_service.signing_keys where kid = ? returning kid',
      [kid],
    );
    return rows.length === 1;
  }

  async deleteRetired(before: Date): Promise<void> {
    await query(
      this.#em,
      `delete from user_service.signing_keys where status = 'retired' and retired_at < ?`,
      [before],
    );
  }
}
