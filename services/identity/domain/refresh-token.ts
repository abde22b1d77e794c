import { createHash, randomBytes } from 'node:crypto';
import type { Uuid } from './uuid.ts';

/** A refresh token for its owner, and what is stored of it. */
export interface NewRefreshToken {
  /** `optix_rt_`, the family's id (22 characters of base64url), `_` and 43 characters of base64url. Kept nowhere. */
  readonly token: string;
  /** SHA-256 of the token, 32 bytes. A token of 256 random bits needs no salt and no slow hash. */
  readonly hash: Buffer;
}

/** What a refresh token says by itself: whether it is good, the store knows. */
export interface ParsedRefreshToken {
  readonly familyId: Uuid;
  /** SHA-256 of the whole text, 32 bytes. */
  readonly hash: Buffer;
}

/** The prefix tells scanners of leaked secrets what they have found. */
const PREFIX = 'optix_rt_';
const RANDOM_BYTES = 32;
const FORM = /^optix_rt_([A-Za-z0-9_-]{22})_[A-Za-z0-9_-]{43}$/;

/** Makes a refresh token of a family. The family's id leads to the row that decides, so that one lock serves all its tokens. */
export function createRefreshToken(familyId: Uuid): NewRefreshToken {
  const family = Buffer.from(familyId.replaceAll('-', ''), 'hex').toString('base64url');
  const token = `${PREFIX}${family}_${randomBytes(RANDOM_BYTES).toString('base64url')}`;
  return { token, hash: hashOf(token) };
}

/** Null where the text has not the form of a refresh token, as an access token has not. */
export function parseRefreshToken(text: string): ParsedRefreshToken | null {
  const [, family] = FORM.exec(text) ?? [];
  if (family === undefined) return null;
  const bytes = Buffer.from(family, 'base64url');
  // 22 characters hold four bits more than a UUID: another spelling of an id is not the id.
  if (bytes.toString('base64url') !== family) return null;
  const hex = bytes.toString('hex');
  const familyId = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-') as Uuid;
  return { familyId, hash: hashOf(text) };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}
