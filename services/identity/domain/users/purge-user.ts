import { EtagMismatch, UserNotDeleted } from '../errors.ts';
import { type AnswerCodec, once } from '../idempotency.ts';
import type { Repositories } from '../unit-of-work.ts';
import { holdUser, type UserAdminDeps, type UserChange } from './change-user.ts';
import { userEvent } from './user-event.ts';

/** What was erased. */
export interface Purge {
  readonly sessions: number;
  /** Entries of the audit log that lost their personal data. */
  readonly securityEvents: number;
}

/** Figures alone: nothing of the user is kept. */
const codec: AnswerCodec<Purge> = {
  toJson: (purge) => purge,
  fromJson: (json) => json as Purge,
  userIdOf: () => null,
};

/**
 * Erases a deleted or archived user for good, in one transaction: either all of it is gone or nothing. The audit log keeps
 * its entries, under the user's id, without what tells about the person.
 *
 * @throws UserNotFound, UserNotDeleted, EtagMismatch, RequestIdReused, DatabaseUnavailable
 */
export async function purgeUser({ unitOfWork, now }: UserAdminDeps, change: UserChange): Promise<Purge> {
  const { id, requestKey, origin } = change;
  return await once(unitOfWork, requestKey, codec, async (repositories) => {
    const { securityEvents } = repositories;
    const { sessions } = await eraseAccount(repositories, change);
    const at = now();
    const erasedEvents = await securityEvents.erasePersonal(id);
    const purge: Purge = { sessions, securityEvents: erasedEvents };
    await securityEvents.append(
      userEvent({
        type: 'user_purged',
        severity: 'high',
        description: 'The account and what tells about the person were erased.',
        userId: id,
        origin,
        at,
        metadata: { sessions, security_events: erasedEvents },
      }),
    );
    return purge;
  });
}

/** @throws UserNotFound, UserNotDeleted, EtagMismatch */
async function eraseAccount(
  repositories: Repositories,
  { id, etag }: UserChange,
): Promise<Pick<Purge, 'sessions'>> {
  const { users, archivedUsers } = repositories;
  // In this order: who waited here for the user to be archived finds them there.
  if ((await users.hold(id)) === null && (await archivedUsers.erase(id))) {
    // Whatever state it names, it is not the one that an archived user is in.
    if (etag !== null) throw new EtagMismatch();
    return { sessions: 0 };
  }
  const user = await holdUser(repositories, id, etag);
  if (user.deletedAt === null) throw new UserNotDeleted();
  return await users.erase(user);
}
