import { limitByAddress } from '../attempt-limits.ts';
import { requireOpenNetwork } from '../credentials/network-throttle.ts';
import type { Device } from '../device.ts';
import { PasskeysNotConfigured } from '../second-factors/errors.ts';
import { beginChallenge, type OpenedChallenge } from './begin-challenge.ts';
import type { ChallengeDeps } from './challenge-deps.ts';

/**
 * Begins a sign-in with a passkey that tells whose it is. The authenticator has to verify the user, which makes it two
 * factors in one.
 *
 * @throws PasskeysNotConfigured, RateLimited, RateLimiterUnavailable, DatabaseUnavailable; the signal's reason where it is
 *   aborted before the challenge is written.
 */
export async function beginPasskeyAuthentication(
  deps: ChallengeDeps,
  device: Device,
  signal?: AbortSignal,
): Promise<OpenedChallenge> {
  if (deps.relyingParty === null) throw new PasskeysNotConfigured();
  await limitByAddress(deps.limiter, 'auth_login', device.ipAddress, signal);
  await requireOpenNetwork(deps, device.ipAddress);
  signal?.throwIfAborted();
  return await deps.unitOfWork.transactional((repositories) =>
    beginChallenge(deps, repositories, {
      purpose: 'passkey_sign_in',
      userId: null,
      sessionId: null,
      passwordDigest: null,
      amr: [],
      device,
      createdAt: deps.now(),
      methods: ['passkey'],
      passkeys: [],
      userVerification: 'required',
    }),
  );
}
