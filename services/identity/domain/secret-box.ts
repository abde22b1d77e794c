import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SecretUnreadable } from './errors.ts';

/** A key of 32 bytes and the name under which sealed secrets remember it. */
export interface SecretKey {
  /** 1 to 64 characters; never reused for another key. */
  readonly id: string;
  readonly key: Uint8Array;
}

/** A secret as it is stored. */
export interface SealedSecret {
  readonly keyId: string;
  /** Nonce (12 bytes), tag (16 bytes), ciphertext. */
  readonly ciphertext: Uint8Array;
}

/** What a secret is for and whose it is. A sealed secret opens for exactly these two. */
export interface SecretContext {
  /** For example `signing-key`. */
  readonly purpose: string;
  /** For example a user's id. */
  readonly owner: string;
}

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals secrets for storage with AES-256-GCM (NIST SP 800-38D). Nonces are random: with one key, seal fewer than 2^32
 * secrets (section 8.3). Older keys still open what they sealed; new secrets take the primary key.
 */
export class SecretBox {
  readonly #primary: string;
  readonly #keys: ReadonlyMap<string, Uint8Array>;

  private constructor(primary: string, keys: ReadonlyMap<string, Uint8Array>) {
    this.#primary = primary;
    this.#keys = keys;
  }

  /** @throws RangeError where a key is not of 32 bytes, an id is empty or too long, or two keys share an id. */
  static fromKeys(primary: SecretKey, older: readonly SecretKey[] = []): SecretBox {
    const keys = new Map<string, Uint8Array>();
    for (const { id, key } of [primary, ...older]) {
      if (id.length < 1 || id.length > 64) throw new RangeError('a key id must have 1 to 64 characters');
      if (key.length !== KEY_BYTES) throw new RangeError(`the key ${id} must be of ${KEY_BYTES} bytes`);
      if (keys.has(id)) throw new RangeError(`two keys have the id ${id}`);
      keys.set(id, Uint8Array.from(key));
    }
    return new SecretBox(primary.id, keys);
  }

  /** The key that new secrets are sealed with. */
  get primaryKeyId(): string {
    return this.#primary;
  }

  /** Seals `secret` with the primary key, for this purpose and owner only. */
  seal(secret: Uint8Array, context: SecretContext): SealedSecret {
    const keyId = this.#primary;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key(keyId), nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associatedData(keyId, context));
    const encrypted = Buffer.concat([cipher.update(secret), cipher.final()]);
    return { keyId, ciphertext: Buffer.concat([nonce, cipher.getAuthTag(), encrypted]) };
  }

  /** @throws SecretUnreadable where the key is not at hand, or anything differs from what was sealed. */
  open({ keyId, ciphertext }: SealedSecret, context: SecretContext): Buffer {
    const key = this.#key(keyId);
    if (ciphertext.length < NONCE_BYTES + TAG_BYTES) throw new SecretUnreadable('it is too short');
    const nonce = ciphertext.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associatedData(keyId, context));
    decipher.setAuthTag(ciphertext.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(ciphertext.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    } catch (error) {
      throw new SecretUnreadable(`it was not sealed with key ${keyId} for this use, or was changed`, {
        cause: error,
      });
    }
  }

  #key(id: string): Uint8Array {
    const key = this.#keys.get(id);
    if (key === undefined) throw new SecretUnreadable(`there is no key ${JSON.stringify(id.slice(0, 64))}`);
    return key;
  }
}

/** Each part goes in with its length, so that no two contexts give the same bytes. */
function associatedData(keyId: string, { purpose, owner }: SecretContext): Buffer {
  const parts = ['optix.secret-box.v1', keyId, purpose, owner].map((part) => Buffer.from(part, 'utf8'));
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}
