import { v7 as uuidV7 } from 'uuid';
import { createChallengeToken, newWebauthnChallenge } from '../challenges/challenge.ts';
import { requireFreshSession } from '../challenges/session-proof.ts';
import type { Device } from '../device.ts';
import { registrationOptions } from '../passkeys/registration.ts';
import type { Uuid } from '../uuid.ts';
import { holdFreshOwner } from './hold-owner.ts';
import { type PasskeyDeps, requireRelyingParty } from './passkey-deps.ts';
import { requireRoom } from './passkey-limit.ts';

/** A registration that waits for what the browser makes. */
export interface PasskeyRegistration {
  /** Finishes it; secret. */
  readonly token: string;
  /** A PublicKeyCredentialCreationOptionsJSON (WebAuthn level 3 section 5.1.8). */
  readonly options: string;
  readonly expiresAt: Date;
}

/**
 * Begins to register a passkey. It is finished once, in the same session and on the same device. The user is asked for a
 * PIN or a biometric check where the authenticator has one: without it the passkey is a second factor still.
 *
 * @throws PasskeysNotConfigured, InvalidAccessToken, ReauthenticationRequired, TooManyPasskeys, DatabaseUnavailable
 */
export async function beginPasskeyRegistration(
  deps: PasskeyDeps,
  { accessToken, device }: { readonly accessToken: string; readonly device: Device },
): Promise<PasskeyRegistration> {
  const relyingParty = requireRelyingParty(deps);
  const proof = await requireFreshSession(deps, accessToken);
  const { userId, sessionId } = proof;
  const { token, hash } = createChallengeToken();
  const challenge = newWebauthnChallenge();
  const at = deps.now();
  const expiresAt = new Date(at.getTime() + deps.challengeLifetimeMs);
  const { user, passkeys } = await deps.unitOfWork.transactional(async (repositories) => {
    const user = await holdFreshOwner(deps, repositories, proof);
    const passkeys = await repositories.passkeys.listByUser(userId);
    requireRoom(passkeys);
    await repositories.challenges.insert({
      id: uuidV7() as Uuid,
      tokenHash: hash,
      purpose: 'passkey_registration',
      userId,
      sessionId,
      passwordDigest: null,
      amr: proof.authentication.amr,
      device: { id: device.id, fingerprint: device.fingerprint },
      webauthnChallenge: challenge,
      createdAt: at,
      expiresAt,
    });
    await repositories.securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'passkey_registration_begun',
      severity: 'info',
      description: 'The registration of a passkey was begun.',
      userId,
      sessionId,
      device,
      metadata: {},
      createdAt: at,
    });
    return { user, passkeys };
  });
  const { id, email, firstName, lastName } = user;
  const options = await registrationOptions({
    relyingParty,
    user: { id, name: email, displayName: `${firstName} ${lastName}`.trim() || email },
    exclude: passkeys,
    challenge,
    userVerification: 'preferred',
  });
  return { token, options: JSON.stringify(options), expiresAt };
}
