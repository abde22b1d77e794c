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
  readonly watch: FailureWatch;
}

/** What a failed sign-in is counted for beside, with those of the minutes before. */
export interface FailureWatch {
  /** How long failures are counted together, in milliseconds. */
  readonly windowMs: number;
  /** Whether one network tries many accounts; null: not looked at. */
  readonly stuffing: {
    /** Stands for the account that was tried, known or not: 63 bits. */
    readonly accountTag: bigint;
    /** How many accounts make a finding, 2 to 32. */
    readonly accounts: number;
    /** How long the network is locked then, in milliseconds; null: not at all. */
    readonly lockMs: number | null;
  } | null;
  /** Whether one account is tried often; null: not looked at. */
  readonly burst: {
    /** How many failures make a finding, this one included. */
    readonly failures: number;
    /** How long the account is locked then, in milliseconds; null: not at all. */
    readonly lockMs: number | null;
  } | null;
}

/** What a failed sign-in turned out to be one of. Each is found once a window. */
export interface FailureFindings {
  /** Its network's lock is among the {@link NewLocks}. */
  readonly stuffing: { readonly accounts: number } | null;
  readonly burst: {
    readonly failures: number;
    /** As the user wrote it. */
    readonly email: string;
    /** Null where the account was not locked for it. */
    readonly lockedUntil: Date | null;
    /** Whether there was no burst in the 24 hours before. */
    readonly isFirstOfDay: boolean;
  } | null;
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

/** The account of a user who may sign in at this moment. */
export interface SignInAccount {
  readonly user: User;
  readonly passwordHash: string | null;
}

/** What is written about users' passwords and sign-ins. */
export interface CredentialStore {
  /**
   * Records a sign-in, and holds the user's row until the transaction ends. Null, and nothing written, where the user
   * may not sign in any more: not active, deleted, locked, with another password than the one that was checked, or with
   * a second factor that nothing was shown for.
   */
  recordLoginSuccess(login: {
    readonly userId: Uuid;
    /** The hash that the password was checked against; null where no password was. */
    readonly checkedHash: string | null;
    /** The same password hashed at today's cost, where the old one is outdated. */
    readonly newHash: string | null;
    /** Whether a second factor was shown, or a trusted device stands in for it. */
    readonly secondFactor: boolean;
    readonly at: Date;
  }): Promise<User | null>;
  /**
   * Reads an account and holds its row until the transaction ends. Null where its user may not sign in: not active,
   * deleted or locked.
   */
  holdForSignIn(account: { readonly userId: Uuid; readonly at: Date }): Promise<SignInAccount | null>;
  /** Replaces a hash by one of the same password at today's cost. The caller holds the user's row. */
  replaceHash(change: { readonly userId: Uuid; readonly newHash: string }): Promise<void>;
  /** Counts a failed sign-in, and locks where the policies say so. */
  recordLoginFailure(failure: LoginFailure): Promise<NewLocks & FailureFindings>;
  /**
   * Keeps an account from signing in until a time; a lock that lasts longer stays. Returns the address as the user wrote it;
   * null, and nothing written, where the user was deleted.
   */
  lockAccount(lock: { readonly userId: Uuid; readonly until: Date }): Promise<string | null>;
  /**
   * Replaces a password that was checked; ends the count of failures where the account has no second factor. Null, and nothing written, where the account is
   * not active any more, locked, or has another password by now.
   */
  changePassword(change: PasswordReplacement & { readonly checkedHash: string }): Promise<User | null>;
  /**
   * Sets a password for whom the address belongs to: a lock ends (and the count of failures, where there is no second
   * factor), and the address counts as verified. Null, and nothing written, where the account is not active, or has another address by now.
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
