import { createHash, randomBytes } from 'node:crypto';
import type { Uuid } from './uuid.ts';

/** What a token that a user gets by mail is good for. */
export const ONE_TIME_PURPOSES = ['email_verification', 'password_reset'] as const;
export type OneTimePurpose = (typeof ONE_TIME_PURPOSES)[number];

/** A token for its owner, and what is stored of it. */
export interface NewOneTimeToken {
  /** 43 characters of base64url. Mailed once; until the mail is sent it is kept sealed. */
  readonly token: string;
  /** SHA-256 of the token, 32 bytes. A token of 256 random bits needs no salt and no slow hash. */
  readonly hash: Buffer;
}

const RANDOM_BYTES = 32;

export function createOneTimeToken(): NewOneTimeToken {
  const token = randomBytes(RANDOM_BYTES).toString('base64url');
  return { token, hash: hashOneTimeToken(token) };
}

/** What a token is looked up by. */
export function hashOneTimeToken(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** A token as it is stored. */
export interface StoredOneTimeToken {
  readonly userId: Uuid;
  readonly purpose: OneTimePurpose;
  readonly hash: Buffer;
  /** The address it is sent to: of no use once the user has another. */
  readonly emailNormalized: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** Which token, and for what. */
export interface OneTimeTokenUse {
  readonly hash: Buffer;
  readonly purpose: OneTimePurpose;
  readonly at: Date;
}

/** What is read from and written to one-time tokens in a transaction. */
export interface OneTimeTokens {
  /** Adds a token and ends those before of its purpose. The caller holds the user's row: two would not see each other. */
  replace(token: StoredOneTimeToken): Promise<void>;
  /**
   * Uses a token up: of any number of calls at once, one gets whose it is and the address it was sent to. Null where the
   * token is unknown, used or expired, or the user was deleted or has another address. Holds the user's row.
   */
  use(use: OneTimeTokenUse): Promise<{ readonly userId: Uuid; readonly emailNormalized: string } | null>;
  /** Ends a user's tokens: of one purpose, or of every one. */
  endOpen(userId: Uuid, at: Date, purpose?: OneTimePurpose): Promise<void>;
}

/** Reads of one-time tokens outside a transaction. Each throws DatabaseUnavailable. */
export interface OneTimeTokenReads {
  /**
   * Whose token it is, and whether it could be used now. Null where it is unknown or its user was deleted.
   */
  findToken(use: OneTimeTokenUse): Promise<{ readonly userId: Uuid; readonly isUsable: boolean } | null>;
}
