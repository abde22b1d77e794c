import type { Uuid } from '../uuid.ts';

/** A secret that waits to be confirmed. */
export interface NewTotpAuthenticator {
  readonly id: Uuid;
  readonly userId: Uuid;
  /** 20 random bytes. Sealed before it is stored. */
  readonly secret: Buffer;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** An authenticator app as it is kept. */
export interface TotpAuthenticator {
  readonly id: Uuid;
  readonly secret: Buffer;
  /** The last time step that a code was accepted for; null while it is not confirmed. */
  readonly lastStep: number | null;
}

/**
 * Authenticator apps in a transaction. Each method throws DatabaseUnavailable; those that read a secret throw
 * SecretUnreadable where it does not open for this user.
 */
export interface TotpAuthenticators {
  /** Puts a secret in the place of one that waits. The one in force stays. */
  putPending(authenticator: NewTotpAuthenticator): Promise<void>;
  /** Null where none waits, or its time is over. */
  findPending(userId: Uuid, at: Date): Promise<TotpAuthenticator | null>;
  /** Null where the user has none. */
  findConfirmed(userId: Uuid): Promise<TotpAuthenticator | null>;
  /**
   * Puts a waiting one into force, with the step whose code confirmed it, in the place of the one before. Tells whether
   * there was one before; null, and nothing written, where it waits no more. The caller holds the user's row.
   */
  confirm(confirmation: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly step: number;
    readonly at: Date;
  }): Promise<{ readonly replaced: boolean } | null>;
  /** Uses a time step up: of any number of calls at once one is told true, and none for a step at or before one that was used. */
  useStep(use: { readonly id: Uuid; readonly userId: Uuid; readonly step: number }): Promise<boolean>;
  /** Removes the one in force and the one that waits. False where none was in force. */
  remove(userId: Uuid): Promise<boolean>;
}
