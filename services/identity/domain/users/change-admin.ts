import { LastAdmin, UserNotFound } from '../errors.ts';
import { once } from '../idempotency.ts';
import type { User } from '../user.ts';
import { type HeldUser, holdUser, type UserAdminDeps, type UserChange } from './change-user.ts';
import { userCodec } from './user-codec.ts';

/** A user who is held, and perhaps the last admin. */
export interface HeldAdmin extends HeldUser {
  /** To be called before the user stops being an active admin. @throws LastAdmin where nobody else is one. */
  readonly keepAnAdmin: () => Promise<void>;
}

/**
 * As changeUser, for changes that may take an active admin away. Those of admins happen one after another: of two admins
 * who remove each other at the same time, one stays.
 *
 * @throws UserNotFound, EtagMismatch, RequestIdReused, DatabaseUnavailable; whatever `work` throws.
 */
export async function changeAdmin(
  deps: UserAdminDeps,
  change: UserChange,
  work: (held: HeldAdmin) => Promise<User>,
): Promise<User> {
  for (;;) {
    try {
      return await tryChange(deps, change, work);
    } catch (error) {
      if (!(error instanceof BecameAdmin)) throw error;
    }
  }
}

/** The user became an admin after it was decided that the admins need not be held. Nothing was written. */
class BecameAdmin extends Error {}

async function tryChange(
  { unitOfWork, now }: UserAdminDeps,
  { id, etag, requestKey }: UserChange,
  work: (held: HeldAdmin) => Promise<User>,
): Promise<User> {
  return await once(unitOfWork, requestKey, userCodec, async (repositories) => {
    const { users } = repositories;
    // Looked at before it is held, as all admins have to be held first.
    const seen = await users.find(id);
    const isGuarded = seen !== null && isActiveAdmin(seen);
    if (isGuarded) await users.holdAdmins();
    const user = await holdUser(repositories, id, etag);
    if (user.deletedAt !== null) throw new UserNotFound();
    if (isActiveAdmin(user) && !isGuarded) throw new BecameAdmin();
    const keepAnAdmin = async (): Promise<void> => {
      if (isActiveAdmin(user) && !(await users.hasOtherAdmin(id))) throw new LastAdmin();
    };
    return await work({ user, repositories, at: now(), keepAnAdmin });
  });
}

function isActiveAdmin({ status, roles }: User): boolean {
  return status === 'active' && roles.includes('admin');
}
