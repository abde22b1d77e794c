import type { EmailAddress } from './email.ts';
import type { PersonName } from './person-name.ts';
import type { PhoneNumber } from './phone.ts';
import type { Role, User, UserStatus } from './user.ts';
import type { Uuid } from './uuid.ts';

/** A user who is about to be added. */
export interface NewUser extends Pick<User, 'firstName' | 'lastName' | 'phone' | 'roles' | 'createdAt'> {
  readonly id: Uuid;
  readonly email: EmailAddress;
  /** PHC string; null for an account that has no password. */
  readonly passwordHash: string | null;
  /** Unset where the address is not known to be the user's. */
  readonly emailVerifiedAt?: Date | null;
}

/** A user of another system who is about to be added. */
export interface ImportedUser extends NewUser {
  /** In the form of the other system; what `parsePasswordHash` takes. */
  readonly passwordHash: string | null;
  readonly status: Exclude<UserStatus, 'deleted'>;
  readonly importedAt: Date;
}

/** New values of a profile; those that stay are left out. */
export interface ProfileChanges {
  readonly email?: EmailAddress;
  readonly firstName?: PersonName;
  readonly lastName?: PersonName;
  readonly phone?: PhoneNumber | null;
}

/** A state of a user that a change starts from. */
export type UserState = Pick<User, 'id' | 'version'>;

/** What of a user was erased. */
export interface Erasure {
  readonly sessions: number;
}

/**
 * What is read from and written to users within a transaction. Every change raises `version` and sets `updatedAt`; it
 * throws EtagMismatch where the user is not in the state that it starts from any more.
 */
export interface Users {
  /** @throws EmailAlreadyRegistered where somebody who is not deleted has the address. */
  insert(user: NewUser): Promise<User>;
  /** Adds those whose address is free, the first of equal ones. Returns the ids of those who were added. */
  insertMany(users: readonly ImportedUser[]): Promise<ReadonlySet<Uuid>>;
  /** Reads a user, also a deleted one. */
  find(id: Uuid): Promise<User | null>;
  /** As `find`; holds the user until the transaction ends, so that nobody else changes them. */
  hold(id: Uuid): Promise<User | null>;
  /**
   * Makes all who take the role admin from somebody active wait for the end of the transaction. To be called before
   * `hold`: the other way round, two could wait for each other.
   */
  holdAdmins(): Promise<void>;
  /** Whether anybody else is active and has the role admin. */
  hasOtherAdmin(id: Uuid): Promise<boolean>;
  /** Another address (not one that only differs in case) is unverified. @throws EmailAlreadyRegistered */
  updateProfile(state: UserState, changes: ProfileChanges, at: Date): Promise<User>;
  /** Access tokens of generations so far end where the new status is not `active`. */
  setStatus(state: UserState, status: Exclude<UserStatus, 'deleted'>, at: Date): Promise<User>;
  /** Access tokens of generations so far end. */
  setRoles(state: UserState, roles: readonly Role[], at: Date): Promise<User>;
  /** Ends a lockout and forgets failed sign-ins. Null where there were none. */
  unlock(state: UserState, at: Date): Promise<User | null>;
  /** Marks as deleted, and keeps the status from before. Access tokens of generations so far end. */
  softDelete(state: UserState, at: Date): Promise<User>;
  /** Takes a deletion back. @throws EmailAlreadyRegistered where the address was taken meanwhile. */
  restore(state: UserState, at: Date): Promise<User>;
  /**
   * Deletes the row of a deleted user and everything that belongs to it but security events: sessions, families,
   * devices, one-time tokens, mails. Of answered requests it forgets the answers.
   */
  erase(state: UserState): Promise<Erasure>;
}
