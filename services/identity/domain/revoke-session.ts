import type { ChangeOrigin } from './change.ts';
import { endSessions, type SessionEndReason } from './end-sessions.ts';
import { SessionNotFound } from './errors.ts';
import type { VerifiedTokens } from './introspect-tokens.ts';
import type { SessionReads } from './reads.ts';
import type { RevocationBarrier } from './revocation.ts';
import type { StoredSession } from './session.ts';
import { type SessionChange, sessionEvent } from './session-event.ts';
import type { SessionPolicy } from './session-policy.ts';
import type { StateStore } from './session-state.ts';
import type { SessionOwner } from './sessions.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import type { Uuid } from './uuid.ts';

export interface RevokeDeps {
  readonly unitOfWork: UnitOfWork;
  readonly sessions: SessionReads;
  readonly states: StateStore;
  readonly verifiedTokens: Pick<VerifiedTokens, 'verify'>;
  readonly sessionPolicy: SessionPolicy;
  readonly barrier: RevocationBarrier;
  readonly now: () => Date;
}

/**
 * Ends a session. One that has ended already is answered as it is.
 *
 * @throws SessionNotFound, DatabaseUnavailable
 */
export async function revokeSession(
  deps: RevokeDeps,
  id: Uuid,
  origin: ChangeOrigin,
): Promise<StoredSession> {
  const session = await deps.sessions.find(id);
  if (session === null) throw new SessionNotFound();
  await endOneSession(deps, { sessionId: id, userId: session.userId }, 'revoked', {
    type: 'session_revoked',
    severity: 'medium',
    description: 'A session was ended by somebody else than its user.',
    metadata: origin,
  });
  return (await deps.sessions.find(id)) ?? session;
}

/** Ends a session, unless it has ended or run out, with its event. When this is fulfilled nobody accepts its tokens. */
export async function endOneSession(
  { unitOfWork, barrier, now }: Pick<RevokeDeps, 'unitOfWork' | 'barrier' | 'now'>,
  { sessionId, userId }: SessionOwner,
  reason: SessionEndReason,
  change: Omit<SessionChange, 'userId' | 'sessionId' | 'at'>,
): Promise<void> {
  const ended = await unitOfWork.transactional(async (repositories) => {
    // The user's row first, as everybody takes the two: who changes the account in this session is waited for.
    await repositories.sessions.lockUser(userId);
    const at = now();
    const stored = await repositories.sessions.find(sessionId);
    if (stored === null || stored.expiresAt <= at) return [];
    return await endSessions(repositories, { userId, ids: [sessionId], reason, at }, async () => {
      await repositories.securityEvents.append(sessionEvent({ ...change, userId, sessionId, at }));
    });
  });
  // Whoever ended it may have died before everybody knew.
  if (ended.length === 0) await barrier.enforce([{ kind: 'session', sessionId, userId }]);
}
