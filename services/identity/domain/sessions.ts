import type { AuthenticationContext } from './authentication-context.ts';
import type { SessionEndReason } from './end-sessions.ts';
import type { Session, StoredSession } from './session.ts';
import type { Uuid } from './uuid.ts';

/** Whose session a refresh token belongs to. */
export interface SessionOwner {
  readonly sessionId: Uuid;
  readonly userId: Uuid;
}

/** What is read from and written to sessions. */
export interface Sessions {
  insert(session: Session): Promise<void>;

  /** Also one that has ended; null where there is none. */
  find(id: Uuid): Promise<StoredSession | null>;

  /**
   * Ids of a user's sessions that have neither ended nor run out, oldest first. Idle ones are among them.
   *
   * @param except one that is left out; null for none.
   */
  listLiveIds(userId: Uuid, except: Uuid | null, at: Date): Promise<Uuid[]>;

  /** Ids of a user's sessions that were ended after `since`. */
  listEndedIds(userId: Uuid, since: Date): Promise<Uuid[]>;

  /** Ids of a user's sessions that have neither ended nor run out and were last used before `before`. */
  listIdleIds(userId: Uuid, before: Date, at: Date): Promise<Uuid[]>;

  /**
   * Ends sessions before their time. Their refresh-token families come first, in the same transaction: the order in
   * which everybody locks the two.
   *
   * @returns which of them went on until now.
   */
  end(ids: readonly Uuid[], reason: SessionEndReason, at: Date): Promise<Uuid[]>;

  /** Writes down that the user has authenticated again. False, and nothing written, where the session does not go on. */
  recordAuthentication(record: {
    readonly id: Uuid;
    readonly authentication: AuthenticationContext;
    readonly mfaVerified: boolean;
    readonly at: Date;
  }): Promise<boolean>;

  /** The session of a family's current refresh token, or of the one before it; null for any other token. */
  findByRefreshToken(token: { readonly familyId: Uuid; readonly hash: Buffer }): Promise<SessionOwner | null>;

  /**
   * Whether there is such a user who is not deleted. The row is locked until the end of the transaction: nobody opens a
   * session for the user meanwhile.
   */
  lockUser(userId: Uuid): Promise<boolean>;
}
