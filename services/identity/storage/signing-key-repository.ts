import type { EntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidV7 } from 'uuid';
import type { PublicJwk, StoredSigningKey } from '../domain/signing-key.ts';
import type { SigningKeyStore } from '../domain/signing-keys.ts';
import { query } from './sql.ts';

/** Signing keys in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class SigningKeyRepository implements SigningKeyStore {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async list(): Promise<StoredSigningKey[]> {
    const rows = await query<{
      kid: string;
      status: 'active' | 'retired';
      public_jwk: PublicJwk;
      private_key: Buffer;
      private_key_key_id: string;
    }>(
      this.#em,
      `select kid, status, public_jwk, private_key, private_key_key_id from user_service.signing_keys
       order by created_at, id`,
      [],
    );
    return rows.map((row) => ({
      kid: row.kid,
      status: row.status,
      publicJwk: row.public_jwk,
      privateKey: { keyId: row.private_key_key_id, ciphertext: row.private_key },
    }));
  }

  async insertActive({ kid, publicJwk, privateKey }: StoredSigningKey): Promise<boolean> {
    const rows = await query<{ kid: string }>(
      this.#em,
      `insert into user_service.signing_keys
         (id, kid, algorithm, status, public_jwk, private_key, private_key_key_id, created_at)
       values (?, ?, ?, 'active', ?, ?, ?, ?)
       on conflict (status) where status = 'active' do nothing
       returning kid`,
      [
        uuidV7(),
        kid,
        publicJwk.alg,
        JSON.stringify(publicJwk),
        Buffer.from(privateKey.ciphertext),
        privateKey.keyId,
        new Date(),
      ],
    );
    return rows.length === 1;
  }
}
