import { v7 as uuidV7 } from 'uuid';
import { limitByAddress } from '../attempt-limits.ts';
import { requireOpenNetwork } from '../credentials/network-throttle.ts';
import type { Device } from '../device.ts';
import type { Uuid } from '../uuid.ts';
import { beginChallenge, type OpenedChallenge } from './begin-challenge.ts';
import type { ChallengeDeps } from './challenge-deps.ts';
import { InvalidAccessToken } from './errors.ts';
import { offeredMethods } from './offered-methods.ts';
import { requireSession } from './session-proof.ts';

/**
 * Asks the user of an open session to authenticate again (RFC 9470): with a second factor where the account has one, else
 * with the password. Not with a recovery code: who has lost the factors signs in with one, which is as fresh.
 *
 * @throws RateLimited, RateLimiterUnavailable, InvalidAccessToken, DatabaseUnavailable; the signal's reason where it is
 *   aborted before the challenge is written.
 */
export async function beginStepUp(
  deps: ChallengeDeps,
  { accessToken, device }: { readonly accessToken: string; readonly device: Device },
  signal?: AbortSignal,
): Promise<OpenedChallenge> {
  await limitByAddress(deps.limiter, 'auth_login', device.ipAddress, signal);
  await requireOpenNetwork(deps, device.ipAddress);
  const { userId, sessionId, mfaEnabled } = await requireSession(deps, accessToken);
  const factors = await deps.secondFactors.find(userId);
  if (factors === null) throw new InvalidAccessToken();
  const offer = { withPasskeys: deps.relyingParty !== null, withRecoveryCodes: false };
  const methods = mfaEnabled ? offeredMethods(factors, offer) : (['password'] as const);
  signal?.throwIfAborted();
  return await deps.unitOfWork.transactional(async (repositories) => {
    const createdAt = deps.now();
    await repositories.securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'step_up_requested',
      severity: 'info',
      description: 'The user of a session was asked to authenticate again.',
      userId,
      sessionId,
      device,
      metadata: {},
      createdAt,
    });
    return await beginChallenge(deps, repositories, {
      purpose: 'step_up',
      userId,
      sessionId,
      passwordDigest: null,
      amr: [],
      device,
      createdAt,
      methods,
      passkeys: factors.passkeys,
      userVerification: 'preferred',
    });
  });
}
