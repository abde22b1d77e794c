import { InvalidAccessToken } from '../challenges/errors.ts';
import { requireFreshSession } from '../challenges/session-proof.ts';
import type { Device } from '../device.ts';
import type { TrustedDevice } from '../trusted-devices.ts';
import type { DeviceDeps } from './device-deps.ts';
import { DeviceTrustNotAllowed } from './errors.ts';
import { trustDevice } from './trust.ts';

/**
 * Trusts the device of a session in which a second factor was shown lately.
 *
 * @param device with a fingerprint: what the trust is bound to
 * @throws InvalidAccessToken, ReauthenticationRequired, DeviceTrustNotAllowed, DatabaseUnavailable
 */
export async function trustSessionDevice(
  deps: DeviceDeps,
  { accessToken, device }: { readonly accessToken: string; readonly device: Device },
): Promise<{ readonly device: TrustedDevice; readonly token: string }> {
  const { userId, sessionId } = await requireFreshSession(deps, accessToken, 'aal2');
  return await deps.unitOfWork.transactional(async (repositories) => {
    const user = await repositories.users.hold(userId);
    const at = deps.now();
    const session = await repositories.sessions.find(sessionId);
    // A change of password may have ended the session and all trust meanwhile: nothing may be trusted after it.
    if (user?.status !== 'active' || session === null || session.endedAt !== null) {
      throw new InvalidAccessToken();
    }
    // As may the removal of the last second factor: there is nothing to stand in for any more.
    if (!user.mfaEnabled) throw new DeviceTrustNotAllowed();
    const { roles, email } = user;
    return await trustDevice(repositories, deps.trustedDevicePolicy, {
      userId,
      roles,
      email,
      sessionId,
      device,
      at,
    });
  });
}
