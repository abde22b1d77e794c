import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { SecretUnreadable } from './errors.ts';
import type { Uuid } from './uuid.ts';

/** What the use of a refresh token is answered with. */
export interface RefreshAnswer {
  readonly accessToken: { readonly token: string; readonly expiresAt: Date };
  readonly refreshToken: { readonly token: string; readonly expiresAt: Date };
  readonly sessionId: Uuid;
  readonly userId: Uuid;
}

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PURPOSE = 'optix.refresh-answer.v1';

/**
 * Seals an answer under a key that only the presented token gives (HKDF-SHA-256, RFC 5869; AES-256-GCM): whoever has the
 * database alone can't read the tokens in it. Nonce (12 bytes), tag (16 bytes), ciphertext.
 */
export function sealAnswer(answer: RefreshAnswer, presentedToken: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, keyOf(presentedToken), nonce, { authTagLength: TAG_BYTES });
  const encrypted = Buffer.concat([cipher.update(JSON.stringify(answer), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]);
}

/** @throws SecretUnreadable where it was sealed for another token, or was changed. */
export function openAnswer(sealed: Buffer, presentedToken: string): RefreshAnswer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new SecretUnreadable('an answer is too short');
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, keyOf(presentedToken), nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  let text: string;
  try {
    text =
      decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch (error) {
    throw new SecretUnreadable('an answer was sealed for another token, or was changed', { cause: error });
  }
  const { accessToken, refreshToken, ...ids } = JSON.parse(text) as RefreshAnswer;
  return {
    accessToken: { token: accessToken.token, expiresAt: new Date(accessToken.expiresAt) },
    refreshToken: { token: refreshToken.token, expiresAt: new Date(refreshToken.expiresAt) },
    ...ids,
  };
}

/** A token of 256 random bits needs no salt (RFC 5869 section 3.1). */
function keyOf(token: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', token, '', PURPOSE, 32));
}
