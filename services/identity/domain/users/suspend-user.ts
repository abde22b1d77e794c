import type { User } from '../user.ts';
import { changeAdmin } from './change-admin.ts';
import type { UserAdminDeps, UserChange } from './change-user.ts';
import { revokeAccessTokens } from './revoke-access-tokens.ts';
import { shutOut } from './shut-out.ts';
import { userEvent } from './user-event.ts';

/**
 * Shuts a user out. One who is suspended stays so, and no event is written.
 *
 * @throws UserNotFound, EtagMismatch, LastAdmin, RequestIdReused, DatabaseUnavailable
 */
export async function suspendUser(deps: UserAdminDeps, change: UserChange): Promise<User> {
  return await changeAdmin(deps, change, async ({ user, repositories, at, keepAnAdmin }) => {
    if (user.status === 'suspended') {
      await revokeAccessTokens(repositories, user, 'user_suspended', at);
      return user;
    }
    await keepAnAdmin();
    const suspended = await repositories.users.setStatus(user, 'suspended', at);
    await repositories.securityEvents.append(
      userEvent({
        type: 'user_suspended',
        severity: 'medium',
        description: 'The account was suspended.',
        userId: user.id,
        origin: change.origin,
        at,
      }),
    );
    await shutOut(repositories, suspended, 'user_suspended', at);
    return suspended;
  });
}
