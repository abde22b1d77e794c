import type { Role, User } from '../user.ts';
import { changeAdmin } from './change-admin.ts';
import type { UserAdminDeps, UserChange } from './change-user.ts';
import { revokeAccessTokens } from './revoke-access-tokens.ts';
import { userEvent } from './user-event.ts';

/**
 * Replaces a user's roles. Access tokens with the old ones are revoked; sessions go on. The same roles are none to
 * replace, and no event is written.
 *
 * @throws UserNotFound, EtagMismatch, LastAdmin, RequestIdReused, DatabaseUnavailable
 */
export async function updateRoles(
  deps: UserAdminDeps,
  change: UserChange,
  roles: readonly Role[],
): Promise<User> {
  return await changeAdmin(deps, change, async ({ user, repositories, at, keepAnAdmin }) => {
    const isSame = new Set(roles).symmetricDifference(new Set(user.roles)).size === 0;
    if (isSame) {
      await revokeAccessTokens(repositories, user, 'roles_changed', at);
      return user;
    }
    if (!roles.includes('admin')) await keepAnAdmin();
    const updated = await repositories.users.setRoles(user, roles, at);
    await repositories.securityEvents.append(
      userEvent({
        type: 'user_roles_changed',
        severity: roles.includes('admin') === user.roles.includes('admin') ? 'low' : 'high',
        description: 'The roles were replaced.',
        userId: user.id,
        origin: change.origin,
        at,
        metadata: { from: user.roles, to: roles },
      }),
    );
    await revokeAccessTokens(repositories, updated, 'roles_changed', at);
    return updated;
  });
}
