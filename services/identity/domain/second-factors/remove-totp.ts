import { requireFreshSession } from '../challenges/session-proof.ts';
import type { Device } from '../device.ts';
import { SecondFactorNotFound } from './errors.ts';
import { afterFactorRemoved } from './factor-change.ts';
import { holdFreshOwner } from './hold-owner.ts';
import type { SecondFactorDeps } from './second-factor-deps.ts';

/**
 * Removes the authenticator app, and one that waits to be confirmed.
 *
 * @throws InvalidAccessToken, ReauthenticationRequired, SecondFactorNotFound, DatabaseUnavailable
 */
export async function removeTotp(
  deps: SecondFactorDeps,
  { accessToken, device }: { readonly accessToken: string; readonly device: Device },
): Promise<void> {
  const proof = await requireFreshSession(deps, accessToken);
  const { userId, sessionId } = proof;
  await deps.unitOfWork.transactional(async (repositories) => {
    await holdFreshOwner(deps, repositories, proof);
    if (!(await repositories.totpAuthenticators.remove(userId))) throw new SecondFactorNotFound();
    const at = deps.now();
    await afterFactorRemoved(repositories, { userId, sessionId, factor: 'totp', device, at });
  });
}
