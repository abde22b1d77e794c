import { endUserSessions, type SessionEndReason } from '../end-sessions.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { User } from '../user.ts';
import { revokeAccessTokens } from './revoke-access-tokens.ts';

/**
 * Ends everything a user could go on with: mailed tokens, challenges, trusted devices, sessions, access tokens. Comes last
 * in a transaction.
 *
 * @param user as changed: with the token generation that is to be accepted from now on
 */
export async function shutOut(
  repositories: Repositories,
  user: User,
  reason: Extract<SessionEndReason, 'user_suspended' | 'user_deleted'>,
  at: Date,
): Promise<void> {
  await repositories.oneTimeTokens.endOpen(user.id, at);
  await repositories.challenges.endOpen(user.id, at);
  await repositories.trustedDevices.revokeAllOfUser({ userId: user.id, reason, at });
  await endUserSessions(repositories, { userId: user.id, except: null, reason, at });
  await revokeAccessTokens(repositories, user, reason, at);
}
