import { UserNotDeleted } from '../errors.ts';
import { type AnswerCodec, once } from '../idempotency.ts';
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
 * Erases a deleted user for good, in one transaction: either all of it is gone or nothing. The audit log keeps its
 * entries, under the user's id, without what tells about the person.
 *
 * @throws UserNotFound, UserNotDeleted, EtagMismatch, RequestIdReused, DatabaseUnavailable
 */
export async function purgeUser(
  { unitOfWork, now }: UserAdminDeps,
  { id, etag, requestKey, origin }: UserChange,
): Promise<Purge> {
  return await once(unitOfWork, requestKey, codec, async (repositories) => {
    const { users, securityEvents } = repositories;
    const user = await holdUser(repositories, id, etag);
    if (user.deletedAt === null) throw new UserNotDeleted();
    const at = now();
    const erasedEvents = await securityEvents.erasePersonal(id);
    const { sessions } = await users.erase(user);
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
