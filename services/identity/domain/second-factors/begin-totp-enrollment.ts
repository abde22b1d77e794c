import { v7 as uuidV7 } from 'uuid';
import { base32 } from '../base32.ts';
import { requireFreshSession } from '../challenges/session-proof.ts';
import type { Device } from '../device.ts';
import { otpauthUri } from '../otpauth.ts';
import { createTotpSecret } from '../totp.ts';
import type { Uuid } from '../uuid.ts';
import { factorEvent } from './factor-event.ts';
import { holdFreshOwner } from './hold-owner.ts';
import type { SecondFactorDeps } from './second-factor-deps.ts';

/** What an authenticator app needs. Shown to the user, and kept nowhere in plain. */
export interface TotpEnrollment {
  /** In base32 (RFC 4648), for typing. */
  readonly secret: string;
  /** `otpauth://totp/...`, with the secret. */
  readonly otpauthUri: string;
  /** Until when it can be confirmed. */
  readonly expiresAt: Date;
}

/** How long a secret waits to be confirmed, in milliseconds. */
const PENDING_MS = 600_000;

/**
 * Makes a secret for an authenticator app, in the place of one that waits. The app in force goes on.
 *
 * @throws InvalidAccessToken, ReauthenticationRequired, DatabaseUnavailable
 */
export async function beginTotpEnrollment(
  deps: SecondFactorDeps,
  { accessToken, device }: { readonly accessToken: string; readonly device: Device },
): Promise<TotpEnrollment> {
  const proof = await requireFreshSession(deps, accessToken);
  const { userId, sessionId } = proof;
  return await deps.unitOfWork.transactional(async (repositories) => {
    const owner = await holdFreshOwner(deps, repositories, proof);
    const at = deps.now();
    const expiresAt = new Date(at.getTime() + PENDING_MS);
    const secret = createTotpSecret();
    const id = uuidV7() as Uuid;
    await repositories.totpAuthenticators.putPending({ id, userId, secret, createdAt: at, expiresAt });
    await repositories.securityEvents.append(
      factorEvent({
        type: 'totp_enrollment_begun',
        severity: 'info',
        description: 'A secret for an authenticator app was made, which waits to be confirmed.',
        userId,
        sessionId,
        device,
        metadata: {},
        at,
      }),
    );
    const uri = otpauthUri({ issuer: deps.totpIssuer, account: owner.email, secret });
    return { secret: base32(secret), otpauthUri: uri, expiresAt };
  });
}
