import { createHash, randomBytes } from 'node:crypto';
import type { AuthenticationMethod } from '../authentication-context.ts';
import type { Device } from '../device.ts';
import type { Uuid } from '../uuid.ts';

/** What completing a challenge leads to. */
export const CHALLENGE_PURPOSES = ['sign_in', 'passkey_sign_in', 'step_up', 'passkey_registration'] as const;
export type ChallengePurpose = (typeof CHALLENGE_PURPOSES)[number];

/** What a challenge can be completed with. */
export type ChallengeMethod = 'totp' | 'passkey' | 'recovery_code' | 'password';

/** Something that a user has still to show, as it is kept. */
export interface Challenge {
  readonly id: Uuid;
  readonly purpose: ChallengePurpose;
  /** Null where a passkey is to tell who it is (`passkey_sign_in`). */
  readonly userId: Uuid | null;
  /** The session that goes on with it (`step_up`, `passkey_registration`); null where one is to be opened. */
  readonly sessionId: Uuid | null;
  /** SHA-256 of the password hash that was checked before (`sign_in`): null for the others. */
  readonly passwordDigest: Buffer | null;
  /** What was shown before. */
  readonly amr: readonly AuthenticationMethod[];
  /** What the device that began named; it completes the challenge with the same. */
  readonly device: Pick<Device, 'id' | 'fingerprint'>;
  /** What a passkey has to sign, 32 random bytes. */
  readonly webauthnChallenge: Buffer;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** Proofs that were tried. */
  readonly attempts: number;
}

/** A challenge that is about to be written. */
export interface NewChallenge extends Omit<Challenge, 'attempts'> {
  readonly tokenHash: Buffer;
}

/** A token for its owner, and what is stored of it. */
export interface NewChallengeToken {
  /** 43 characters of base64url. */
  readonly token: string;
  /** SHA-256 of the token, 32 bytes. A token of 256 random bits needs no salt and no slow hash. */
  readonly hash: Buffer;
}

/** Wrong proofs after which a challenge is of no more use. */
export const MAX_CHALLENGE_ATTEMPTS = 5;

const RANDOM_BYTES = 32;

export function createChallengeToken(): NewChallengeToken {
  const token = randomBytes(RANDOM_BYTES).toString('base64url');
  return { token, hash: hashChallengeToken(token) };
}

/** What a challenge is looked up by. */
export function hashChallengeToken(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** What a passkey has to sign: at least 16 random bytes by WebAuthn level 3 section 13.4.3. */
export function newWebauthnChallenge(): Buffer {
  return randomBytes(RANDOM_BYTES);
}

/** What is kept of the password hash that was checked. */
export function passwordDigest(passwordHash: string): Buffer {
  return createHash('sha256').update(passwordHash, 'utf8').digest();
}

/**
 * Challenges in a transaction. Each method throws DatabaseUnavailable.
 * A challenge is open at a time while it is neither used nor expired then and has attempts left.
 * Who holds the row of the challenge's user as well takes that one first, as everybody does.
 */
export interface Challenges {
  insert(challenge: NewChallenge): Promise<void>;
  /**
   * Uses a challenge up: of any number of calls at once one gets it. Null where it is used or expired. Where attempts are
   * counted, the one whose proof is right has been counted before.
   */
  use(use: { readonly tokenHash: Buffer; readonly at: Date }): Promise<Challenge | null>;
  /**
   * Counts an attempt, and holds the challenge until the transaction ends: of any number of calls at once no more are
   * counted than may be. Called before the proof counts for anything.
   *
   * @returns how many attempts are left, null where the challenge is not open.
   */
  recordAttempt(attempt: { readonly tokenHash: Buffer; readonly at: Date }): Promise<number | null>;
  /** Ends a user's open challenges. */
  endOpen(userId: Uuid, at: Date): Promise<void>;
}

/** Challenges outside a transaction. */
export interface ChallengeReads {
  /** Null where there is none that is open. @throws DatabaseUnavailable */
  findOpen(tokenHash: Buffer, at: Date): Promise<Challenge | null>;
}
