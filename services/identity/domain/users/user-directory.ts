import type { Role, User, UserStatus } from '../user.ts';
import type { Uuid } from '../uuid.ts';

/** Which users. Every part that is set must hold. */
export interface UserFilter {
  /** Any of these; none for all but deleted, or all with `showDeleted`. */
  readonly statuses: readonly UserStatus[];
  readonly showDeleted: boolean;
  /** At least one of these; none for any. */
  readonly roles: readonly Role[];
  readonly emailVerified: boolean | null;
  readonly mfaEnabled: boolean | null;
  readonly createdFrom: Date | null;
  readonly createdBefore: Date | null;
  /** E-mail address, first or last name starts with it, in any case. */
  readonly prefix: string | null;
}

export const USER_ORDERS = ['create_time', 'email', 'last_name'] as const;
export type UserOrder = (typeof USER_ORDERS)[number];

/** A list of users. Equal ones are ordered by id. */
export interface UserListing {
  readonly filter: UserFilter;
  readonly order: UserOrder;
  readonly descending: boolean;
}

/** Where a user stands in a list. Others that come and go don't move it. */
export interface UserPlace {
  /** What the list is ordered by, as the database writes it. */
  readonly key: string;
  readonly id: Uuid;
}

/** A piece of a list. */
export interface UserPage {
  readonly users: readonly User[];
  /** The last user's place; null where the list ends here. */
  readonly next: UserPlace | null;
}

/** All users, by filter. Each method throws DatabaseUnavailable. */
export interface UserDirectory {
  /** Users behind a place (null: from the start), at most `limit` of them. */
  list(listing: UserListing, after: UserPlace | null, limit: number): Promise<UserPage>;
  /**
   * All users that a filter selects, by id, in batches of 1 to `batch`: as they are at one moment, however long it
   * takes. Ends what it holds when the consumer stops. Throws TooManyExports where as many run as may.
   */
  stream(filter: UserFilter, batch: number): AsyncIterable<readonly User[]>;
}
