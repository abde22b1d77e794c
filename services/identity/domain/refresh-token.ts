import { createHash, randomBytes } from 'node:crypto';

/** A refresh token for its owner, and what is stored of it. */
export interface NewRefreshToken {
  /** `ort_` and 43 characters of base64url. Shown once, kept nowhere. */
  readonly token: string;
  /** SHA-256 of the token, 32 bytes. A token of 256 random bits needs no salt and no slow hash. */
  readonly hash: Buffer;
}

/** The prefix tells scanners of leaked secrets what they have found. */
const PREFIX = 'ort_';
const RANDOM_BYTES = 32;

export function createRefreshToken(): NewRefreshToken {
  const token = PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
  return { token, hash: hashRefreshToken(token) };
}

/** What a refresh token is looked up by. */
export function hashRefreshToken(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}
