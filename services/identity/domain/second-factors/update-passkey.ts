import { v7 as uuidV7 } from 'uuid';
import { requireSession } from '../challenges/session-proof.ts';
import { NO_DEVICE } from '../credentials/no-device.ts';
import type { Passkey } from '../passkeys/passkey.ts';
import type { Uuid } from '../uuid.ts';
import { SecondFactorNotFound } from './errors.ts';
import { holdOwner } from './hold-owner.ts';
import type { PasskeyDeps } from './passkey-deps.ts';

/**
 * Gives a passkey another name. The audit log is not told which.
 *
 * @throws InvalidAccessToken, SecondFactorNotFound, DatabaseUnavailable
 */
export async function updatePasskey(
  deps: PasskeyDeps,
  {
    accessToken,
    passkeyId,
    name,
  }: { readonly accessToken: string; readonly passkeyId: Uuid; readonly name: string | null },
): Promise<Passkey> {
  const proof = await requireSession(deps, accessToken);
  const { userId, sessionId } = proof;
  return await deps.unitOfWork.transactional(async (repositories) => {
    await holdOwner(repositories, proof);
    const passkey = await repositories.passkeys.rename({ id: passkeyId, userId, name });
    if (passkey === null) throw new SecondFactorNotFound();
    await repositories.securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'passkey_renamed',
      severity: 'info',
      description: 'A passkey was given another name.',
      userId,
      sessionId,
      device: NO_DEVICE,
      metadata: { passkey_id: passkeyId },
      createdAt: deps.now(),
    });
    return passkey;
  });
}
