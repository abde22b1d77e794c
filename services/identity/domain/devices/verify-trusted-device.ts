import type { TrustedDevice } from '../trusted-devices.ts';
import type { DeviceDeps } from './device-deps.ts';
import { checkTrust, type PresentedTrust } from './trust.ts';
import { recordTrustMismatch } from './trust-mismatch.ts';

/**
 * Tells whether a device is trusted, and counts the use where it is. It is no sign-in: it says nothing of who is there.
 *
 * @returns the device after this use; null where it is not trusted: the token is unknown or another user's, its trust was
 *   taken or has run out, another device shows it, or the user is not active or may not trust devices any more.
 * @throws DatabaseUnavailable
 */
export async function verifyTrustedDevice(
  { unitOfWork, trustedDevicePolicy, now }: Pick<DeviceDeps, 'unitOfWork' | 'trustedDevicePolicy' | 'now'>,
  presented: Omit<PresentedTrust, 'at'>,
): Promise<TrustedDevice | null> {
  const { userId, device } = presented;
  return await unitOfWork.transactional(async (repositories) => {
    const { trustedDevices, users } = repositories;
    const at = now();
    const { trusted, mismatch } = await checkTrust(trustedDevices, { ...presented, at });
    if (mismatch !== null) await recordTrustMismatch(repositories, { owner: mismatch, device, at });
    if (trusted === null) return null;
    const user = await users.find(userId);
    if (user?.status !== 'active' || !trustedDevicePolicy.allows(user.roles)) return null;
    return await trustedDevices.recordUse({ id: trusted.id, userId, ipAddress: device.ipAddress, at });
  });
}
