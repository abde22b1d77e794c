import { UserNotFound } from '../errors.ts';
import type { UserReads } from '../reads.ts';
import type { User } from '../user.ts';
import type { Uuid } from '../uuid.ts';

/**
 * Reads users in the order of their ids; an id that comes twice is answered twice.
 *
 * @throws UserNotFound where one is missing and `allowMissing` is not set; DatabaseUnavailable.
 */
export async function batchGetUsers(
  users: UserReads,
  {
    ids,
    showDeleted,
    allowMissing,
  }: { readonly ids: readonly Uuid[]; readonly showDeleted: boolean; readonly allowMissing: boolean },
): Promise<User[]> {
  const found = new Map((await users.findMany(ids, showDeleted)).map((user) => [user.id, user]));
  return ids.flatMap((id) => {
    const user = found.get(id);
    if (user === undefined && !allowMissing) throw new UserNotFound();
    return user ?? [];
  });
}
