import type { AccessTokenClaims } from './access-token.ts';
import type { SessionPolicy } from './session-policy.ts';
import type { Role } from './user.ts';
import type { Uuid } from './uuid.ts';

/** What is known of a session that goes on. Times are in milliseconds since 1970. */
export interface SessionState {
  readonly userId: Uuid;
  readonly expiresAt: number;
  readonly lastActivityAt: number;
  readonly mfaVerified: boolean;
  /** Access tokens of the session that were taken back, by their `jti`. */
  readonly revokedTokens: readonly string[];
}

/** What is known of a user who may use an account. */
export interface UserState {
  readonly email: string;
  readonly roles: readonly Role[];
  /** Access tokens of an older generation are not accepted. */
  readonly tokenGeneration: number;
}

/** What an access token stands on. */
export interface LiveState {
  readonly session: SessionState;
  readonly user: UserState;
}

/** What a state is asked for by. */
export interface StateQuery {
  readonly sessionId: Uuid;
  readonly userId: Uuid;
  /** Key that the token was signed with. */
  readonly keyId: string;
}

/** The truth. */
export interface StateStore {
  /**
   * In the order of the queries; null unless the session is this user's and has not ended, the user is active, and the key
   * is one that tokens are accepted with. Whether the session has run out is left to the caller.
   *
   * @throws DatabaseUnavailable
   */
  read(queries: readonly StateQuery[]): Promise<(LiveState | null)[]>;
}

/** Copies of what the truth says of sessions. */
export interface SessionStateCache {
  /** Has what a session is like read anew, where it has changed and goes on. Never rejects. */
  forget(sessionId: Uuid): Promise<void>;
}

/** Whether a token with these claims is good as long as its session is in this state. */
export function isGood(
  { sub, gen, jti }: AccessTokenClaims,
  { session, user }: LiveState,
  policy: SessionPolicy,
  at: number,
): boolean {
  return (
    session.userId === sub &&
    gen >= user.tokenGeneration &&
    !session.revokedTokens.includes(jti) &&
    policy.goesOn(session, at)
  );
}
