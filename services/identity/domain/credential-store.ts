import type { LockoutPolicies } from './credentials/lockout-policy.ts';
import type { User } from './user.ts';
import type { Uuid } from './uuid.ts';

/** A sign-in that failed. */
export interface LoginFailure {
  /** Null for an unknown user: costs the same, and is counted against the network alone. */
  readonly userId: Uuid | null;
  /** What {@link limitedNetwork} makes of the address it came from. */
  readonly network: string;
  readonly at: Date;
  readonly lockout: LockoutPolicies;
}

/** What a failed sign-in locked. Failures during a lock are not counted, so that nobody can hold it for ever. */
export interface NewLocks {
  /** Null where the account was not locked by this failure. */
  readonly account: {
    readonly until: Date;
    readonly failures: number;
    /** As the user wrote it. */
    readonly email: string;
  } | null;
  /** Null where the network was not locked by this failure. */
  readonly network: { readonly until: Date; readonly failures: number } | null;
}

/** A password that takes the place of another. */
export interface PasswordReplacement {
  readonly userId: Uuid;
  readonly newHash: string;
  readonly at: Date;
}

/** An account that mails go to. */
export interface MailAccount {
  readonly userId: Uuid;
  /** As the user wrote it. */
  readonly email: string;
  readonly emailNormalized: string;
  readonly emailVerifiedAt: Date | null;
  readonly isActive: boolean;
}

/** What is written about users' passwords and sign-ins. */
export interface CredentialStore {
  /**
   * Records a sign-in, and holds the user's row until the transaction ends. Null, and nothing written, where the user
   * may not sign in any more: not active, deleted, locked, or with another password than the one that was checked.
   */
  recordLoginSuccess(login: {
    readonly userId: Uuid;
    /** The hash that the password was checked against. */
    readonly checkedHash: string;
    /** The same password hashed at today's cost, where the old one is outdated. */
    readonly newHash: string | null;
    readonly at: Date;
  }): Promise<User | null>;
  /** Counts a failed sign-in, and locks where the policies say so. */
  recordLoginFailure(failure: LoginFailure): Promise<NewLocks>;
  /**
   * Replaces a password that was checked; ends the count of failures. Null, and nothing written, where the account is
   * not active any more, locked, or has another password by now.
   */
  changePassword(change: PasswordReplacement & { readonly checkedHash: string }): Promise<User | null>;
  /**
   * Sets a password for whom the address belongs to: a lock ends, and the address counts as verified. Null, and nothing
   * written, where the account is not active, or has another address by now.
   */
  resetPassword(reset: PasswordReplacement & { readonly emailNormalized: string }): Promise<User | null>;
  /** Null, and nothing written, where the user was deleted or has another address by now. */
  markEmailVerified(verified: {
    readonly userId: Uuid;
    readonly emailNormalized: string;
    readonly at: Date;
  }): Promise<User | null>;
  /** Reads an account and holds its row until the transaction ends. Null where there is none that is not deleted. */
  holdAccount(
    by: { readonly userId: Uuid } | { readonly normalizedEmail: string },
  ): Promise<MailAccount | null>;
}
