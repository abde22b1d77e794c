import { createHash, timingSafeEqual } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import type { Device } from '../device.ts';
import { isTrusted, type TrustedDevice, type TrustedDevices } from '../trusted-devices.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Role } from '../user.ts';
import type { Uuid } from '../uuid.ts';
import { DeviceTrustNotAllowed } from './errors.ts';
import { createTrustToken, hashTrustToken } from './trust-token.ts';
import type { TrustedDevicePolicy } from './trusted-device-policy.ts';

/** Devices that a user may trust at a time: as many as there may be sessions unless set otherwise. */
export const MAX_TRUSTED_DEVICES = 20;
/** How long the notice is worth sending, in milliseconds. */
const NOTICE_MS = 3 * 24 * 3_600_000;

/** A device that is to be trusted: its user has just shown a second factor. */
export interface DeviceToTrust {
  readonly userId: Uuid;
  readonly roles: readonly Role[];
  /** Where the notice goes: as the user wrote it. */
  readonly email: string;
  /** The session in which the second factor was shown. */
  readonly sessionId: Uuid;
  readonly device: Device;
  readonly at: Date;
}

/**
 * Trusts a device, with its event and a notice to the user. Where the user trusts too many then, the oldest ones lose
 * their trust. The caller holds the user's row.
 *
 * @returns the device, and the token that it shows from now on.
 * @throws DeviceTrustNotAllowed, also for a device without a fingerprint; DatabaseUnavailable
 */
export async function trustDevice(
  repositories: Pick<Repositories, 'trustedDevices' | 'securityEvents' | 'outgoingMails'>,
  policy: TrustedDevicePolicy,
  { userId, roles, email, sessionId, device, at }: DeviceToTrust,
): Promise<{ readonly device: TrustedDevice; readonly token: string }> {
  const { id: deviceId, fingerprint, name, ipAddress } = device;
  if (fingerprint === null || !policy.allows(roles)) throw new DeviceTrustNotAllowed();
  const { trustedDevices, securityEvents, outgoingMails } = repositories;
  const { token, hash: trustTokenHash } = createTrustToken();
  const id = uuidV7() as Uuid;
  const expiresAt = new Date(at.getTime() + policy.lifetimeMs);
  const trusted = { id, userId, deviceId, fingerprint, name, ipAddress, createdAt: at, expiresAt };
  await trustedDevices.insert({ ...trusted, trustTokenHash });

  const most = MAX_TRUSTED_DEVICES;
  const event = { userId, sessionId, device, severity: 'low', createdAt: at } as const;
  await securityEvents.append({
    ...event,
    id: uuidV7() as Uuid,
    type: 'device_trusted',
    description: 'The user chose a device to trust.',
    metadata: { trusted_device_id: id, expires_at: expiresAt.toISOString() },
  });
  const count = await trustedDevices.revokeBeyond({ userId, most, reason: 'device_limit', at });
  if (count > 0) {
    await securityEvents.append({
      ...event,
      id: uuidV7() as Uuid,
      type: 'device_limit_reached',
      description: 'The oldest trusted devices lost their trust to make room for a new one.',
      metadata: { limit: most, count },
    });
  }
  await outgoingMails.add({
    userId,
    to: email,
    message: { template: 'device_trusted', at },
    createdAt: at,
    expiresAt: new Date(at.getTime() + NOTICE_MS),
  });
  return {
    device: { ...trusted, lastSeenAt: at, useCount: 0, revokedAt: null, revocationReason: null },
    token,
  };
}

/** A device that says it is trusted. */
export interface PresentedTrust {
  readonly userId: Uuid;
  readonly token: string;
  readonly device: Device;
  readonly at: Date;
}

/** What a presented token is worth. Whether the policy lets its user trust devices is another question. */
export interface TrustCheck {
  /** The device that the token makes a trusted one; null where it does not. */
  readonly trusted: TrustedDevice | null;
  /** The user's device, trusted now or once, whose token another one shows: see recordTrustMismatch. */
  readonly mismatch: TrustedDevice | null;
}

/** Looks at a token that a device shows. @throws DatabaseUnavailable */
export async function checkTrust(
  reads: Pick<TrustedDevices, 'findByTokenHash'>,
  { userId, token, device, at }: PresentedTrust,
): Promise<TrustCheck> {
  const found = await reads.findByTokenHash(hashTrustToken(token));
  if (found === null || found.userId !== userId) return { trusted: null, mismatch: null };
  if (!isSameFingerprint(found.fingerprint, device.fingerprint)) return { trusted: null, mismatch: found };
  return { trusted: isTrusted(found, at) ? found : null, mismatch: null };
}

/** In constant time, by hashes of equal length: whoever has a token only must not find the fingerprint byte by byte. */
function isSameFingerprint(stored: string | null, presented: string | null): boolean {
  if (stored === null || presented === null) return false;
  const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(stored), digest(presented));
}
