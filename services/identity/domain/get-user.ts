import { UserNotFound } from './errors.ts';
import type { UserReads } from './reads.ts';
import type { User } from './user.ts';
import type { Uuid } from './uuid.ts';

/** @throws UserNotFound where there is no such user, or the user was deleted and `showDeleted` is not set; DatabaseUnavailable. */
export async function getUser(users: UserReads, id: Uuid, showDeleted = false): Promise<User> {
  const user = await users.findById(id, showDeleted);
  if (user === null) throw new UserNotFound();
  return user;
}
