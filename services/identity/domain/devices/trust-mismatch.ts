import { v7 as uuidV7 } from 'uuid';
import type { Device } from '../device.ts';
import { isTrusted, type TrustedDevice } from '../trusted-devices.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';

/**
 * Writes the event of a trust token that another device showed than the one it was given to: perhaps it was stolen.
 *
 * @param mismatch.owner the device it was given to: `mismatch` of checkTrust
 * @throws DatabaseUnavailable
 */
export async function recordTrustMismatch(
  { securityEvents }: Pick<Repositories, 'securityEvents'>,
  { owner, device, at }: { readonly owner: TrustedDevice; readonly device: Device; readonly at: Date },
): Promise<void> {
  await securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'trusted_device_mismatch',
    severity: 'medium',
    description: 'A device showed the trust token of another one.',
    userId: owner.userId,
    sessionId: null,
    device,
    metadata: { trusted_device_id: owner.id, trusted: isTrusted(owner, at) },
    createdAt: at,
  });
}
