import type { User } from '../user.ts';
import { changeUser, type UserAdminDeps, type UserChange } from './change-user.ts';
import { userEvent } from './user-event.ts';

/**
 * Ends the lockout that wrong passwords brought about, and forgets them. Where there were none, nothing is written.
 *
 * @throws UserNotFound, RequestIdReused, DatabaseUnavailable
 */
export async function unlockUser(deps: UserAdminDeps, change: UserChange): Promise<User> {
  return await changeUser(deps, change, async ({ user, repositories, at }) => {
    const unlocked = await repositories.users.unlock(user, at);
    if (unlocked === null) return user;
    await repositories.securityEvents.append(
      userEvent({
        type: 'user_unlocked',
        severity: 'info',
        description: 'The lockout after wrong passwords was ended.',
        userId: user.id,
        origin: change.origin,
        at,
      }),
    );
    return unlocked;
  });
}
