import type { NewRefreshTokenFamily, Session } from './session.ts';
import type { Role, UserStatus } from './user.ts';
import type { Uuid } from './uuid.ts';

/** A lineage of refresh tokens: which token is good now, and which was good before. */
export interface RefreshTokenFamily {
  readonly id: Uuid;
  readonly userId: Uuid;
  readonly sessionId: Uuid;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  /** SHA-256 of the token that is good now. */
  readonly currentTokenHash: Buffer;
  /** The token before it: its SHA-256, when it was used, and what that was answered with. Null before the first use. */
  readonly previous: {
    readonly tokenHash: Buffer;
    readonly usedAt: Date;
    /** Sealed: see sealAnswer. */
    readonly answer: Buffer;
  } | null;
}

/** A family with what its tokens stand on at this moment. */
export interface RefreshState {
  readonly family: RefreshTokenFamily;
  readonly session: Pick<Session, 'expiresAt' | 'lastActivityAt' | 'authentication'> & {
    readonly endedAt: Date | null;
  };
  readonly user: {
    /** `deleted` where the user was deleted. */
    readonly status: UserStatus;
    readonly roles: readonly Role[];
    readonly tokenGeneration: number;
  };
}

/** The use of a refresh token: the next one takes its place. */
export interface Rotation {
  readonly familyId: Uuid;
  /** SHA-256 of the token that is used. */
  readonly usedTokenHash: Buffer;
  /** SHA-256 of the one that takes its place. */
  readonly nextTokenHash: Buffer;
  /** The user's token generation that the answer's access token says. */
  readonly tokenGeneration: number;
  /** What the use is answered with, sealed. */
  readonly answer: Buffer;
  readonly at: Date;
}

/** Refresh-token families outside a transaction. Each method throws DatabaseUnavailable. */
export interface RefreshTokenFamilyStore {
  /** Null where there is no such family. Never from a replica that lags: a stale row would make a good token a reused one. */
  findState(id: Uuid): Promise<RefreshState | null>;
  /**
   * Uses a token up, in one statement: of many who use the same one, under the lock of the family's row, one succeeds.
   * False, and nothing changed, where the token is not the current one, the family was revoked or the user's token
   * generation is another one: an access token of the old one would be refused, and those who verify offline forget after
   * a while that it is to be.
   */
  rotate(rotation: Rotation): Promise<boolean>;
}

/** What is read from and written to refresh-token families in a transaction. Each method throws DatabaseUnavailable. */
export interface RefreshTokenFamilies {
  insert(family: NewRefreshTokenFamily): Promise<void>;
  /** Locks the family until the end of the transaction. Null where there is none. */
  lock(id: Uuid): Promise<Pick<RefreshTokenFamily, 'userId' | 'sessionId' | 'revokedAt'> | null>;
  /** Revokes the families of these sessions for good. What was revoked before keeps its time and reason. */
  revokeBySession(sessionIds: readonly Uuid[], reason: string, at: Date): Promise<void>;
}
