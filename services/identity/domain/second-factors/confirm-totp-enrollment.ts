import { limitByUser } from '../attempt-limits.ts';
import { requireFreshSession } from '../challenges/session-proof.ts';
import type { Device } from '../device.ts';
import { findStep } from '../totp.ts';
import { SecondFactorRefused, TotpNotEnrolling } from './errors.ts';
import { afterFactorAdded } from './factor-change.ts';
import { holdFreshOwner } from './hold-owner.ts';
import type { SecondFactorDeps } from './second-factor-deps.ts';

export interface TotpConfirmation {
  readonly accessToken: string;
  /** As typed. */
  readonly code: string;
  readonly device: Device;
}

/**
 * Puts the authenticator app that waits into force, for who shows its code, in the place of the one before: then devices
 * that were trusted so far are not any more, as after a removal. The code is used up.
 *
 * @returns recovery codes where it is the account's first second factor: shown once. Empty otherwise.
 * @throws InvalidAccessToken, ReauthenticationRequired, TotpNotEnrolling, SecondFactorRefused, RateLimited,
 *   RateLimiterUnavailable, DatabaseUnavailable; the signal's reason where it is aborted before.
 */
export async function confirmTotpEnrollment(
  deps: SecondFactorDeps,
  { accessToken, code, device }: TotpConfirmation,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const proof = await requireFreshSession(deps, accessToken);
  const { userId, sessionId } = proof;
  await limitByUser(deps.limiter, 'auth_mfa', userId, signal);
  return await deps.unitOfWork.transactional(async (repositories) => {
    const { totpAuthenticators, trustedDevices } = repositories;
    const { mfaEnabled } = await holdFreshOwner(deps, repositories, proof);
    const at = deps.now();
    const pending = await totpAuthenticators.findPending(userId, at);
    if (pending === null) throw new TotpNotEnrolling();
    const { id, secret } = pending;
    const step = findStep({ secret, code, at, after: null });
    if (step === null) throw new SecondFactorRefused();
    const confirmed = await totpAuthenticators.confirm({ id, userId, step, at });
    if (confirmed === null) throw new TotpNotEnrolling();
    const { replaced } = confirmed;
    if (replaced) await trustedDevices.revokeAllOfUser({ userId, reason: 'second_factor_removed', at });
    return await afterFactorAdded(repositories, {
      userId,
      sessionId,
      factor: 'totp',
      hadFactor: mfaEnabled,
      device,
      at,
      metadata: { replaced },
    });
  });
}
