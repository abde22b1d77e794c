import type { User } from '../user.ts';
import { changeUser, type UserAdminDeps, type UserChange } from './change-user.ts';
import { userEvent } from './user-event.ts';

/**
 * Lets a suspended or inactive user in again. One who is active stays so, and nothing is written.
 *
 * @throws UserNotFound, EtagMismatch, RequestIdReused, DatabaseUnavailable
 */
export async function reactivateUser(deps: UserAdminDeps, change: UserChange): Promise<User> {
  return await changeUser(deps, change, async ({ user, repositories, at }) => {
    if (user.status === 'active') return user;
    const active = await repositories.users.setStatus(user, 'active', at);
    await repositories.securityEvents.append(
      userEvent({
        type: 'user_reactivated',
        severity: 'info',
        description: 'The account was made active again.',
        userId: user.id,
        origin: change.origin,
        at,
        metadata: { from: user.status },
      }),
    );
    return active;
  });
}
