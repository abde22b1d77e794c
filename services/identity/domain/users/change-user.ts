import type { ChangeOrigin } from '../change.ts';
import { EtagMismatch, UserNotFound } from '../errors.ts';
import { once, type RequestKey } from '../idempotency.ts';
import type { Repositories, UnitOfWork } from '../unit-of-work.ts';
import { etagOf, type User } from '../user.ts';
import type { Uuid } from '../uuid.ts';
import { userCodec } from './user-codec.ts';

/** What changes of users work with. */
export interface UserAdminDeps {
  readonly unitOfWork: UnitOfWork;
  readonly now: () => Date;
}

/** A change of one user that is asked for. */
export interface UserChange {
  readonly id: Uuid;
  /** The state that is to be changed; null for any. */
  readonly etag: string | null;
  readonly requestKey: RequestKey | null;
  readonly origin: ChangeOrigin;
}

/** What a change works with: `user` is held until the transaction ends. */
export interface HeldUser {
  readonly user: User;
  readonly repositories: Repositories;
  readonly at: Date;
}

/**
 * Changes a user who is not deleted, in one transaction and once for a request.
 *
 * @throws UserNotFound, EtagMismatch, RequestIdReused, DatabaseUnavailable; whatever `work` throws.
 */
export async function changeUser(
  { unitOfWork, now }: UserAdminDeps,
  { id, etag, requestKey }: UserChange,
  work: (held: HeldUser) => Promise<User>,
): Promise<User> {
  return await once(unitOfWork, requestKey, userCodec, async (repositories) => {
    const user = await holdUser(repositories, id, etag);
    if (user.deletedAt !== null) throw new UserNotFound();
    return await work({ user, repositories, at: now() });
  });
}

/** Holds a user, deleted or not. @throws UserNotFound, EtagMismatch */
export async function holdUser(
  { users }: Pick<Repositories, 'users'>,
  id: Uuid,
  etag: string | null,
): Promise<User> {
  const user = await users.hold(id);
  if (user === null) throw new UserNotFound();
  if (etag !== null && etag !== etagOf(user)) throw new EtagMismatch();
  return user;
}
