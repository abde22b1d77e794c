import { requireFreshSession } from '../challenges/session-proof.ts';
import type { Device } from '../device.ts';
import type { Uuid } from '../uuid.ts';
import { SecondFactorNotFound } from './errors.ts';
import { afterFactorRemoved } from './factor-change.ts';
import { holdFreshOwner } from './hold-owner.ts';
import type { PasskeyDeps } from './passkey-deps.ts';

/**
 * Removes a passkey.
 *
 * @throws InvalidAccessToken, ReauthenticationRequired, SecondFactorNotFound, DatabaseUnavailable
 */
export async function deletePasskey(
  deps: PasskeyDeps,
  {
    accessToken,
    passkeyId,
    device,
  }: { readonly accessToken: string; readonly passkeyId: Uuid; readonly device: Device },
): Promise<void> {
  const proof = await requireFreshSession(deps, accessToken);
  const { userId, sessionId } = proof;
  await deps.unitOfWork.transactional(async (repositories) => {
    await holdFreshOwner(deps, repositories, proof);
    if (!(await repositories.passkeys.remove(passkeyId, userId))) throw new SecondFactorNotFound();
    await afterFactorRemoved(repositories, {
      userId,
      sessionId,
      factor: 'passkey',
      device,
      at: deps.now(),
      metadata: { passkey_id: passkeyId },
    });
  });
}
