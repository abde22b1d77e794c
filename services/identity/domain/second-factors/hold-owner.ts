import { InvalidAccessToken, ReauthenticationRequired } from '../challenges/errors.ts';
import type { SessionProof, SessionProofDeps } from '../challenges/session-proof.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { User } from '../user.ts';
import type { Uuid } from '../uuid.ts';

/**
 * Holds the row of a user who changes something about their account, until the transaction ends. All that ends an
 * account's sessions holds this row too: once it is held, a session that was ended since its token was looked at is seen,
 * so that what was locked out can't add a second factor at the last moment.
 *
 * @throws InvalidAccessToken where the user was deleted, is not active, or the session has ended; DatabaseUnavailable
 */
export async function holdOwner(
  { users, sessions }: Pick<Repositories, 'users' | 'sessions'>,
  { userId, sessionId }: { readonly userId: Uuid; readonly sessionId: Uuid },
): Promise<User> {
  const user = await users.hold(userId);
  if (user === null || user.status !== 'active') throw new InvalidAccessToken();
  const session = await sessions.find(sessionId);
  if (session === null || session.endedAt !== null) throw new InvalidAccessToken();
  return user;
}

/**
 * {@link holdOwner} for what takes a fresh session, which was looked at before. Once the row is held, a second factor that
 * was added since is seen: the password alone was enough until then, and is not any more.
 *
 * @throws InvalidAccessToken, ReauthenticationRequired, DatabaseUnavailable
 */
export async function holdFreshOwner(
  { stepUpMaxAgeMs }: Pick<SessionProofDeps, 'stepUpMaxAgeMs'>,
  repositories: Pick<Repositories, 'users' | 'sessions'>,
  proof: SessionProof,
): Promise<User> {
  const user = await holdOwner(repositories, proof);
  if (user.mfaEnabled && proof.authentication.acr !== 'aal2') {
    throw new ReauthenticationRequired(Math.floor(stepUpMaxAgeMs / 1000), 'aal2');
  }
  return user;
}
