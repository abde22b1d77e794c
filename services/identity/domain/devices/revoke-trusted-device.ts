import { v7 as uuidV7 } from 'uuid';
import type { ChangeOrigin } from '../change.ts';
import { NO_DEVICE } from '../credentials/no-device.ts';
import type { SecurityEvent } from '../security-event.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import type { DeviceDeps } from './device-deps.ts';
import { TrustedDeviceNotFound } from './errors.ts';

/** Which devices lose their trust. */
export interface DeviceRevocation {
  readonly userId: Uuid;
  /** One device; null for all of the user. */
  readonly id: Uuid | null;
  readonly origin: ChangeOrigin;
}

/**
 * Takes the trust from a user's device, or from all. Once this is fulfilled, none of them stands in for anything.
 *
 * @returns how many were trusted until now.
 * @throws TrustedDeviceNotFound, DatabaseUnavailable
 */
export async function revokeTrustedDevice(
  { unitOfWork, now }: Pick<DeviceDeps, 'unitOfWork' | 'now'>,
  { userId, id, origin }: DeviceRevocation,
): Promise<number> {
  return await unitOfWork.transactional(async (repositories) => {
    if (id === null) return await revokeAll(repositories, { userId, origin, now });
    const { trustedDevices, securityEvents } = repositories;
    const at = now();
    if (!(await trustedDevices.revoke({ id, userId, reason: 'revoked', at }))) {
      if ((await trustedDevices.find({ id, userId })) === null) throw new TrustedDeviceNotFound();
      return 0;
    }
    await securityEvents.append({
      ...revocationEvent(userId, at),
      type: 'device_trust_revoked',
      description: 'The trust was taken from a device.',
      metadata: { ...origin, trusted_device_id: id },
    });
    return 1;
  });
}

async function revokeAll(
  { users, trustedDevices, securityEvents }: Repositories,
  { userId, origin, now }: Omit<DeviceRevocation, 'id'> & Pick<DeviceDeps, 'now'>,
): Promise<number> {
  // Whoever is trusting a device is waited for: it is one of all.
  await users.hold(userId);
  const at = now();
  const count = await trustedDevices.revokeAllOfUser({ userId, reason: 'revoked', at });
  if (count === 0) return 0;
  await securityEvents.append({
    ...revocationEvent(userId, at),
    type: 'devices_trust_revoked',
    description: 'The trust was taken from all devices of a user.',
    metadata: { ...origin, count },
  });
  return count;
}

function revocationEvent(userId: Uuid, at: Date): Omit<SecurityEvent, 'type' | 'description' | 'metadata'> {
  const id = uuidV7() as Uuid;
  return { id, severity: 'low', userId, sessionId: null, device: NO_DEVICE, createdAt: at };
}
