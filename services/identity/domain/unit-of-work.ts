import type { EmailAddress } from './email.ts';
import type { SecurityEvent } from './security-event.ts';
import type { NewRefreshTokenFamily, Session } from './session.ts';
import type { User } from './user.ts';
import type { Uuid } from './uuid.ts';

/** A user who is about to be added. */
export interface NewUser extends Pick<User, 'firstName' | 'lastName' | 'phone' | 'roles' | 'createdAt'> {
  readonly id: Uuid;
  readonly email: EmailAddress;
  /** PHC string; null for an account that has no password. */
  readonly passwordHash: string | null;
}

/** What is written to users. */
export interface Users {
  /** @throws EmailAlreadyRegistered where somebody who is not deleted has the address. */
  insert(user: NewUser): Promise<User>;
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
  /** Counts a failed sign-in. With null, for an unknown user, costs the same and counts nothing. */
  recordLoginFailure(userId: Uuid | null): Promise<void>;
}

/** What is written to sessions. */
export interface Sessions {
  insert(session: Session): Promise<void>;
}

/** What is written to refresh-token families. */
export interface RefreshTokenFamilies {
  insert(family: NewRefreshTokenFamily): Promise<void>;
}

/** What is written to the audit log. */
export interface SecurityEvents {
  append(event: SecurityEvent): Promise<void>;
}

export interface Repositories {
  readonly users: Users;
  readonly sessions: Sessions;
  readonly refreshTokenFamilies: RefreshTokenFamilies;
  readonly securityEvents: SecurityEvents;
}

/** Writes that belong together. */
export interface UnitOfWork {
  /**
   * Runs `work` in one transaction: all that it writes through `repositories` is there when the promise is fulfilled,
   * and none of it where `work` or the database fails.
   *
   * @throws DatabaseUnavailable, or whatever `work` throws.
   */
  transactional<T>(work: (repositories: Repositories) => Promise<T>): Promise<T>;
}
