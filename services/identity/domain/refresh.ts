import { timingSafeEqual } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import type { AccessTokens } from './access-token.ts';
import { limitByAddress, limitByFamily } from './attempt-limits.ts';
import type { DetectionPolicy } from './detection/detection-policy.ts';
import { respondToReuse } from './detection/on-refresh-reuse.ts';
import type { Device } from './device.ts';
import { endSessions } from './end-sessions.ts';
import { InvalidRefreshToken } from './errors.ts';
import type { Limiter } from './limiter.ts';
import { openAnswer, type RefreshAnswer, sealAnswer } from './refresh-answer.ts';
import { createRefreshToken, type ParsedRefreshToken, parseRefreshToken } from './refresh-token.ts';
import type { RefreshState, RefreshTokenFamily, RefreshTokenFamilyStore } from './refresh-token-families.ts';
import type { SessionActivity } from './session-activity.ts';
import type { SessionPolicy } from './session-policy.ts';
import type { UnitOfWork } from './unit-of-work.ts';
import type { Uuid } from './uuid.ts';

export interface RefreshDeps {
  readonly limiter: Limiter;
  readonly families: RefreshTokenFamilyStore;
  readonly sessionPolicy: Pick<SessionPolicy, 'goesOn'>;
  /** Told that a session was used. */
  readonly sessionActivity: Pick<SessionActivity, 'touch'>;
  readonly unitOfWork: UnitOfWork;
  readonly accessTokens: AccessTokens;
  readonly detectionPolicy: Pick<DetectionPolicy, 'responses' | 'lockMs'>;
  /** For how long a token that was just used up gets the same answer again, in milliseconds, 0 to 300,000. */
  readonly graceMs: number;
  readonly now: () => Date;
}

/** A refresh token that somebody presents. */
export interface PresentedRefreshToken {
  readonly token: string;
  readonly device: Device;
}

/**
 * Buys the next access token and refresh token with the current refresh token, which is used up (RFC 9700 section
 * 4.14.2). Who presents it again within the grace time gets the identical answer: an answer that was lost, and requests
 * that race, do no harm. Any other token of a family that goes on was stolen, or its successor was: the session ends.
 *
 * The new access token says what holds at this moment: roles, generation, and how the session's user authenticated. Times
 * are unchanged: a family ends when its session does, however often it is used.
 *
 * One statement reads and one writes; the write is conditional on what was read, so that no crash leaves half a rotation.
 *
 * @throws RateLimited, RateLimiterUnavailable, InvalidRefreshToken, DatabaseUnavailable, SecretUnreadable (no key to sign
 *   with); the signal's reason where it is aborted before the token is used up.
 */
export async function refresh(
  deps: RefreshDeps,
  { token, device }: PresentedRefreshToken,
  signal?: AbortSignal,
): Promise<RefreshAnswer> {
  await limitByAddress(deps.limiter, 'auth_refresh', device.ipAddress, signal);
  const presented = parseRefreshToken(token);
  if (presented === null) throw new InvalidRefreshToken();
  await limitByFamily(deps.limiter, 'auth_refresh', presented.familyId, signal);

  for (;;) {
    const state = await deps.families.findState(presented.familyId);
    const at = deps.now();
    if (state === null || !goesOn(deps, state, at)) throw new InvalidRefreshToken();
    const { currentTokenHash, previous } = state.family;
    if (timingSafeEqual(presented.hash, currentTokenHash)) {
      signal?.throwIfAborted();
      const answer = await rotate(deps, state, { ...presented, token }, at);
      if (answer !== null) {
        deps.sessionActivity.touch(answer.sessionId, at.getTime());
        return answer;
      }
      // Somebody else has used the token, ended the session or changed the user's roles since it was read: look again.
      continue;
    }
    if (
      previous !== null &&
      timingSafeEqual(presented.hash, previous.tokenHash) &&
      at.getTime() - previous.usedAt.getTime() < deps.graceMs
    ) {
      return openAnswer(previous.answer, token);
    }
    const endedFamily = await endReusedFamily(deps, state.family, device, at);
    throw new InvalidRefreshToken({ endedFamily });
  }
}

function goesOn({ sessionPolicy }: RefreshDeps, { family, session, user }: RefreshState, at: Date): boolean {
  return (
    family.revokedAt === null &&
    family.expiresAt > at &&
    session.endedAt === null &&
    sessionPolicy.goesOn(session, at) &&
    user.status === 'active'
  );
}

/** Null where what was read of the family does not hold any more. */
async function rotate(
  { accessTokens, families }: RefreshDeps,
  { family, session, user }: RefreshState,
  presented: ParsedRefreshToken & { readonly token: string },
  at: Date,
): Promise<RefreshAnswer | null> {
  const { userId, sessionId } = family;
  const next = createRefreshToken(family.id);
  const answer: RefreshAnswer = {
    accessToken: await accessTokens.issue({
      userId,
      sessionId,
      roles: user.roles,
      generation: user.tokenGeneration,
      authentication: session.authentication,
    }),
    refreshToken: { token: next.token, expiresAt: family.expiresAt },
    sessionId,
    userId,
  };
  const used = await families.rotate({
    familyId: family.id,
    usedTokenHash: presented.hash,
    nextTokenHash: next.hash,
    tokenGeneration: user.tokenGeneration,
    answer: sealAnswer(answer, presented.token),
    at,
  });
  return used ? answer : null;
}

/**
 * Ends the session of a token that was presented once too often. Tokens of other families are not touched.
 *
 * @returns whether it did: of several who present such a token at once, the first one ends the session.
 */
async function endReusedFamily(
  { unitOfWork, detectionPolicy }: RefreshDeps,
  { id: familyId, userId, sessionId }: Pick<RefreshTokenFamily, 'id' | 'userId' | 'sessionId'>,
  device: Device,
  at: Date,
): Promise<boolean> {
  return await unitOfWork.transactional(async (repositories) => {
    // The user's row first, as everybody takes the two: the response may lock the account.
    await repositories.users.hold(userId);
    const family = await repositories.refreshTokenFamilies.lock(familyId);
    if (family === null || family.revokedAt !== null) return false;
    await repositories.securityEvents.append({
      id: uuidV7({ msecs: at.getTime() }) as Uuid,
      type: 'refresh_token_reused',
      severity: 'high',
      description: 'A refresh token was used again after its time: its session was ended.',
      userId,
      sessionId,
      device,
      metadata: { family_id: familyId },
      createdAt: at,
    });
    await respondToReuse(repositories, detectionPolicy, { userId, sessionId, device, at });
    await endSessions(repositories, { userId, ids: [sessionId], reason: 'refresh_token_reused', at });
    return true;
  });
}
