import { v7 as uuidV7 } from 'uuid';
import type { IssuedAccessToken } from '../access-token.ts';
import { combine } from '../authentication-context.ts';
import type { Device } from '../device.ts';
import type { Session } from '../session.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { User } from '../user.ts';
import type { Uuid } from '../uuid.ts';
import type { ChallengeMethod } from './challenge.ts';
import type { ChallengeDeps } from './challenge-deps.ts';
import { InvalidChallenge } from './errors.ts';
import type { ShownProof } from './verify-proof.ts';

/** A session whose user has authenticated again. */
export interface SteppedUp {
  readonly user: User;
  readonly session: Session;
  readonly accessToken: IssuedAccessToken;
}

/**
 * Makes a session fresh, in the transaction that uses up its challenge.
 *
 * @throws InvalidChallenge where the session does not go on; DatabaseUnavailable, SecretUnreadable
 */
export async function finishStepUp(
  { accessTokens, sessionPolicy }: Pick<ChallengeDeps, 'accessTokens' | 'sessionPolicy'>,
  { sessions, securityEvents }: Pick<Repositories, 'sessions' | 'securityEvents'>,
  {
    sessionId,
    user,
    method,
    shown,
    device,
    at,
  }: {
    readonly sessionId: Uuid;
    readonly user: User;
    readonly method: ChallengeMethod;
    readonly shown: ShownProof;
    readonly device: Device;
    readonly at: Date;
  },
): Promise<SteppedUp> {
  const found = await sessions.find(sessionId);
  if (found === null || found.endedAt !== null || !sessionPolicy.goesOn(found, at))
    throw new InvalidChallenge();
  const { endedAt, endReason, ...before } = found;
  const authentication = combine(before.authentication, shown.amr, at);
  const mfaVerified = authentication.acr === 'aal2';
  const isRecorded = await sessions.recordAuthentication({ id: sessionId, authentication, mfaVerified, at });
  if (!isRecorded) throw new InvalidChallenge();
  await securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'step_up_completed',
    severity: 'info',
    description: 'The user of a session authenticated again.',
    userId: user.id,
    sessionId,
    device,
    metadata: { method },
    createdAt: at,
  });
  const accessToken = await accessTokens.issue({
    userId: user.id,
    sessionId,
    roles: user.roles,
    generation: user.tokenGeneration,
    authentication,
  });
  return { user, session: { ...before, authentication, mfaVerified }, accessToken };
}
