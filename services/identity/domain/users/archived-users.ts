import type { Uuid } from '../uuid.ts';

/** Which deleted users are to be archived. */
export interface Archiving {
  /** Only a user who was deleted before this. */
  readonly deletedBefore: Date;
  readonly at: Date;
}

/** Users who were deleted long ago, as they are kept apart. */
export interface ArchivedUsers {
  /** Users who were deleted before a time, those deleted first, up to `most`. */
  findDue(deletedBefore: Date, most: number): Promise<readonly Uuid[]>;
  /**
   * Moves a user here. What belonged to the account goes, as `Users.erase` has it go; security events stay whole.
   *
   * @returns false where the user was not deleted before that time, or somebody holds them
   */
  archive(id: Uuid, archiving: Archiving): Promise<boolean>;
  /** Deletes an archived user. False where there is none. */
  erase(id: Uuid): Promise<boolean>;
}
