import type { StoredSession } from './session.ts';
import type { SessionOwner } from './sessions.ts';
import type { User, UserStatus } from './user.ts';
import type { Uuid } from './uuid.ts';

/** What sign-in needs to know of an account. */
export interface Credentials {
  readonly userId: Uuid;
  readonly passwordHash: string | null;
  readonly status: UserStatus;
  readonly lockedUntil: Date | null;
  readonly mfaEnabled: boolean;
}

/** Reads of users outside a transaction. Each throws DatabaseUnavailable. */
export interface UserReads {
  /** Null where there is no such user, or the user was deleted and `showDeleted` is not set. */
  findById(id: Uuid, showDeleted?: boolean): Promise<User | null>;
  /** By the normalised address; null where nobody who is not deleted has it. */
  findByEmail(normalizedEmail: string): Promise<User | null>;
  /** Those of the ids that are there, in any order; deleted ones only with `showDeleted`. */
  findMany(ids: readonly Uuid[], showDeleted: boolean): Promise<User[]>;
}

/** Reads of credentials outside a transaction. Each throws DatabaseUnavailable. */
export interface CredentialReads {
  /** By the normalised address; null where nobody who is not deleted has it. */
  findCredentials(normalizedEmail: string): Promise<Credentials | null>;
  /** Null where there is no such user who is not deleted. */
  findCredentialsById(userId: Uuid): Promise<Credentials | null>;
}

/** Where a page of sessions begins: after this session. */
export interface SessionPage {
  readonly userId: Uuid;
  /** Only those that go on: neither ended nor run out, and last used since `idleSince`. */
  readonly live: { readonly at: Date; readonly idleSince: Date } | null;
  /** The last session of the page before; null for the first page. */
  readonly after: Uuid | null;
  readonly limit: number;
}

/** Reads of sessions outside a transaction. Each throws DatabaseUnavailable. */
export interface SessionReads {
  /** Also one that has ended; null where there is none. */
  find(id: Uuid): Promise<StoredSession | null>;
  /** Newest first. */
  list(page: SessionPage): Promise<StoredSession[]>;
  /** The session of a family's current refresh token, or of the one before it; null for any other token. */
  findByRefreshToken(token: { readonly familyId: Uuid; readonly hash: Buffer }): Promise<SessionOwner | null>;
}
