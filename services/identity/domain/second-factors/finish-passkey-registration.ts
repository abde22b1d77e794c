import { v7 as uuidV7 } from 'uuid';
import { hashChallengeToken } from '../challenges/challenge.ts';
import { InvalidChallenge } from '../challenges/errors.ts';
import { requireFreshSession, type SessionProof } from '../challenges/session-proof.ts';
import type { Device } from '../device.ts';
import type { Passkey } from '../passkeys/passkey.ts';
import { verifyRegistration } from '../passkeys/registration.ts';
import { parseResponse } from '../passkeys/response-json.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import { PasskeyAlreadyRegistered } from './errors.ts';
import { afterFactorAdded } from './factor-change.ts';
import { holdFreshOwner } from './hold-owner.ts';
import { type PasskeyDeps, requireRelyingParty } from './passkey-deps.ts';
import { requireRoom } from './passkey-limit.ts';

/** What the browser made of a registration that was begun. */
export interface FinishedPasskeyRegistration {
  readonly accessToken: string;
  readonly token: string;
  /** A RegistrationResponseJSON (WebAuthn level 3 section 5.1). */
  readonly response: string;
  readonly name: string | null;
  readonly device: Device;
}

/**
 * Keeps the passkey that the browser made, where the registration was begun by the same user, session and device. What is
 * refused leaves the registration open.
 *
 * @returns the passkey, and recovery codes where it is the account's first second factor: shown once. Empty otherwise.
 * @throws PasskeysNotConfigured, InvalidAccessToken, ReauthenticationRequired, InvalidChallenge, PasskeyRefused,
 *   PasskeyAlreadyRegistered, TooManyPasskeys, DatabaseUnavailable
 */
export async function finishPasskeyRegistration(
  deps: PasskeyDeps,
  finished: FinishedPasskeyRegistration,
): Promise<{ readonly passkey: Passkey; readonly recoveryCodes: readonly string[] }> {
  const relyingParty = requireRelyingParty(deps);
  const { accessToken, token, name, device } = finished;
  const proof = await requireFreshSession(deps, accessToken);
  const { userId, sessionId } = proof;
  return await deps.unitOfWork.transactional(async (repositories) => {
    const { mfaEnabled } = await holdFreshOwner(deps, repositories, proof);
    const at = deps.now();
    const challenge = await useRegistration(repositories, proof, { token, device, at });
    const { userVerified: _, ...made } = await verifyRegistration({
      relyingParty,
      response: parseResponse(finished.response),
      challenge,
      requireUserVerification: false,
    });
    requireRoom(await repositories.passkeys.listByUser(userId));
    const passkey: Passkey = {
      ...made,
      id: uuidV7() as Uuid,
      userId,
      name,
      createdAt: at,
      lastUsedAt: null,
    };
    if (!(await repositories.passkeys.insert(passkey))) throw new PasskeyAlreadyRegistered();
    const { deviceType, backedUp, aaguid } = passkey;
    const recoveryCodes = await afterFactorAdded(repositories, {
      userId,
      sessionId,
      factor: 'passkey',
      hadFactor: mfaEnabled,
      device,
      at,
      metadata: { passkey_id: passkey.id, device_type: deviceType, backed_up: backedUp, aaguid },
    });
    return { passkey, recoveryCodes };
  });
}

/** Uses the registration up. @returns what the authenticator was to sign. */
async function useRegistration(
  { challenges }: Pick<Repositories, 'challenges'>,
  { userId, sessionId }: SessionProof,
  { token, device, at }: { readonly token: string; readonly device: Device; readonly at: Date },
): Promise<Buffer> {
  const challenge = await challenges.use({ tokenHash: hashChallengeToken(token), at });
  if (
    challenge === null ||
    challenge.purpose !== 'passkey_registration' ||
    challenge.userId !== userId ||
    challenge.sessionId !== sessionId ||
    challenge.device.id !== device.id ||
    challenge.device.fingerprint !== device.fingerprint
  ) {
    throw new InvalidChallenge();
  }
  return challenge.webauthnChallenge;
}
