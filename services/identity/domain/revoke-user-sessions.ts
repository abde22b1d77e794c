import type { ChangeOrigin } from './change.ts';
import { endUserSessions } from './end-sessions.ts';
import { UserNotFound } from './errors.ts';
import { type AnswerCodec, once, type RequestKey } from './idempotency.ts';
import type { RevokeDeps } from './revoke-session.ts';
import { sessionEvent } from './session-event.ts';
import type { Uuid } from './uuid.ts';

/** Whose sessions are to end. */
export interface UserSessionsRevocation {
  readonly userId: Uuid;
  /** A session that goes on; null for none. */
  readonly except: Uuid | null;
  readonly origin: ChangeOrigin;
  readonly requestKey: RequestKey | null;
}

interface Revoked {
  readonly userId: Uuid;
  readonly count: number;
}

const codec: AnswerCodec<Revoked> = {
  toJson: (revoked) => revoked,
  fromJson: (json) => json as Revoked,
  userIdOf: ({ userId }) => userId,
};

/**
 * Ends all sessions of a user, but one if so wished. Whoever signs in meanwhile does so after it.
 *
 * @returns how many ended with this call, or with the first call that had its request key.
 * @throws UserNotFound, RequestIdReused, DatabaseUnavailable
 */
export async function revokeUserSessions(
  { unitOfWork, now }: Pick<RevokeDeps, 'unitOfWork' | 'now'>,
  { userId, except, origin, requestKey }: UserSessionsRevocation,
): Promise<number> {
  const { count } = await once(unitOfWork, requestKey, codec, async (repositories) => {
    const { sessions, securityEvents } = repositories;
    if (!(await sessions.lockUser(userId))) throw new UserNotFound();
    const at = now();
    const end = { userId, except, reason: 'revoked', at } as const;
    const ended = await endUserSessions(repositories, end, async (these) => {
      await securityEvents.append(
        sessionEvent({
          type: 'sessions_revoked',
          severity: 'medium',
          description: 'Sessions of a user were ended by somebody else.',
          userId,
          sessionId: null,
          metadata: { ...origin, count: these.length, except },
          at,
        }),
      );
    });
    return { userId, count: ended };
  });
  return count;
}
