import type { Role, User, UserStatus } from './user.ts';
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
  /** Null where there is no such user, or the user was deleted. */
  findById(id: Uuid): Promise<User | null>;
  /** By the normalised address; null where nobody who is not deleted has it. */
  findCredentials(normalizedEmail: string): Promise<Credentials | null>;
}

/** What an access token stands on at this moment. */
export interface SessionState {
  readonly email: string;
  readonly roles: readonly Role[];
  readonly mfaVerified: boolean;
}

/** Reads of sessions outside a transaction. Each throws DatabaseUnavailable. */
export interface SessionReads {
  /** Null unless the session is this user's, has neither ended nor expired, and the user is active. */
  findLiveState(sessionId: Uuid, userId: Uuid, at: Date): Promise<SessionState | null>;
}
