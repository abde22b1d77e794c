import type { User } from '../user.ts';
import { changeAdmin } from './change-admin.ts';
import type { UserAdminDeps, UserChange } from './change-user.ts';
import { shutOut } from './shut-out.ts';
import { userEvent } from './user-event.ts';

/**
 * Deletes a user softly: kept, but shut out; the address is free for others.
 *
 * @throws UserNotFound, EtagMismatch, LastAdmin, RequestIdReused, DatabaseUnavailable
 */
export async function deleteUser(deps: UserAdminDeps, change: UserChange): Promise<User> {
  return await changeAdmin(deps, change, async ({ user, repositories, at, keepAnAdmin }) => {
    await keepAnAdmin();
    const deleted = await repositories.users.softDelete(user, at);
    await repositories.securityEvents.append(
      userEvent({
        type: 'user_deleted',
        severity: 'medium',
        description: 'The account was deleted; it can be restored.',
        userId: user.id,
        origin: change.origin,
        at,
      }),
    );
    await shutOut(repositories, deleted, 'user_deleted', at);
    return deleted;
  });
}
