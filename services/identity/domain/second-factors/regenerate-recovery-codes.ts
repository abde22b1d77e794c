import { requireFreshSession } from '../challenges/session-proof.ts';
import type { Device } from '../device.ts';
import { SecondFactorNotEnabled } from './errors.ts';
import { replaceRecoveryCodes } from './factor-change.ts';
import { factorEvent } from './factor-event.ts';
import { mailFactorNotice } from './factor-mail.ts';
import { holdFreshOwner } from './hold-owner.ts';
import type { SecondFactorDeps } from './second-factor-deps.ts';

/**
 * Makes new recovery codes; those of before work no more.
 *
 * @returns ten codes: shown once.
 * @throws InvalidAccessToken, ReauthenticationRequired, SecondFactorNotEnabled, DatabaseUnavailable
 */
export async function regenerateRecoveryCodes(
  deps: SecondFactorDeps,
  { accessToken, device }: { readonly accessToken: string; readonly device: Device },
): Promise<readonly string[]> {
  const proof = await requireFreshSession(deps, accessToken);
  const { userId, sessionId } = proof;
  return await deps.unitOfWork.transactional(async (repositories) => {
    const owner = await holdFreshOwner(deps, repositories, proof);
    if (!owner.mfaEnabled) throw new SecondFactorNotEnabled();
    const at = deps.now();
    const codes = await replaceRecoveryCodes(repositories, userId, at);
    await repositories.securityEvents.append(
      factorEvent({
        type: 'recovery_codes_made',
        severity: 'low',
        description: 'New recovery codes were made; those from before work no more.',
        userId,
        sessionId,
        device,
        metadata: { count: codes.length },
        at,
      }),
    );
    await mailFactorNotice(repositories, owner, { template: 'recovery_codes_made', at });
    return codes;
  });
}
