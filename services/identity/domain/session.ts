import type { AuthenticationContext } from './authentication-context.ts';
import type { Device } from './device.ts';
import type { Uuid } from './uuid.ts';

/** A period during which a user is signed in. */
export interface Session {
  readonly id: Uuid;
  readonly userId: Uuid;
  readonly device: Device;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly lastActivityAt: Date;
  /** How and when the user authenticated: at the sign-in, and by each step-up since. */
  readonly authentication: AuthenticationContext;
  /** Whether two factors were given. */
  readonly mfaVerified: boolean;
  /** Whether a trusted device stood in for the second factor. */
  readonly isTrustedDevice: boolean;
}

/** A session as it is kept, with how it ended. */
export interface StoredSession extends Session {
  /** When it ended before its time; null while it goes on, and of one that ran out. */
  readonly endedAt: Date | null;
  /** Why it ended before its time, see SESSION_END_REASONS. */
  readonly endReason: string | null;
}

/** The start of a lineage of refresh tokens: one a session, in which each token replaces the one before it. */
export interface NewRefreshTokenFamily {
  readonly id: Uuid;
  readonly userId: Uuid;
  readonly sessionId: Uuid;
  readonly deviceId: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** SHA-256 of the token that is good now. */
  readonly currentTokenHash: Buffer;
}
