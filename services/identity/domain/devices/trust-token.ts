import { createHash, randomBytes } from 'node:crypto';

/** A token for its device, and what is stored of it. */
export interface NewTrustToken {
  /** 43 characters of base64url. Given out once. */
  readonly token: string;
  /** SHA-256 of the token, 32 bytes. A token of 256 random bits needs no salt and no slow hash. */
  readonly hash: Buffer;
}

const RANDOM_BYTES = 32;

export function createTrustToken(): NewTrustToken {
  const token = randomBytes(RANDOM_BYTES).toString('base64url');
  return { token, hash: hashTrustToken(token) };
}

/** What a trusted device is looked up by. */
export function hashTrustToken(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}
