import { UserNotDeleted } from '../errors.ts';
import { once } from '../idempotency.ts';
import type { User } from '../user.ts';
import { holdUser, type UserAdminDeps, type UserChange } from './change-user.ts';
import { userCodec } from './user-codec.ts';
import { userEvent } from './user-event.ts';

/**
 * Restores a deleted user with the status from before. Sessions and tokens stay ended.
 *
 * @throws UserNotFound, UserNotDeleted, EtagMismatch, EmailAlreadyRegistered where the address was taken meanwhile,
 *   RequestIdReused, DatabaseUnavailable
 */
export async function undeleteUser(
  { unitOfWork, now }: UserAdminDeps,
  { id, etag, requestKey, origin }: UserChange,
): Promise<User> {
  return await once(unitOfWork, requestKey, userCodec, async (repositories) => {
    const user = await holdUser(repositories, id, etag);
    if (user.deletedAt === null) throw new UserNotDeleted();
    const at = now();
    const restored = await repositories.users.restore(user, at);
    await repositories.securityEvents.append(
      userEvent({
        type: 'user_undeleted',
        severity: 'medium',
        description: 'The deleted account was restored.',
        userId: id,
        origin,
        at,
      }),
    );
    return restored;
  });
}
