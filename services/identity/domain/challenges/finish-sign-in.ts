import { v7 as uuidV7 } from 'uuid';
import { authenticationContext } from '../authentication-context.ts';
import type { SignInAccount } from '../credential-store.ts';
import type { Assessment } from '../detection/sign-in-detection.ts';
import type { Device } from '../device.ts';
import { trustDevice } from '../devices/trust.ts';
import { openSession, type SignedIn } from '../open-session.ts';
import { mailFactorNotice } from '../second-factors/factor-mail.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import type { Challenge, ChallengeMethod } from './challenge.ts';
import type { ChallengeDeps } from './challenge-deps.ts';
import { InvalidChallenge } from './errors.ts';
import type { ShownProof } from './verify-proof.ts';

/** A sign-in for which everything was shown. */
export interface CompletedSignIn {
  readonly challenge: Challenge;
  readonly account: SignInAccount;
  readonly method: ChallengeMethod;
  readonly shown: ShownProof;
  readonly device: Device;
  /** Whether the device is to be trusted, if it may be. */
  readonly wantsTrust: boolean;
  /** Of a sign-in whose first factor was this challenge's; null where it was assessed before. */
  readonly assessment: Assessment | null;
  readonly at: Date;
}

/** What a device shows from now on. */
export interface GivenTrust {
  readonly token: string;
  readonly expiresAt: Date;
}

/** Opens the session of a sign-in, in the transaction that uses up its challenge. @throws InvalidChallenge, DatabaseUnavailable */
export async function finishSignIn(
  deps: ChallengeDeps,
  repositories: Repositories,
  completed: CompletedSignIn,
): Promise<SignedIn & { readonly trust: GivenTrust | null }> {
  const { challenge, account, method, shown, device, at } = completed;
  const userId = account.user.id;
  const user = await repositories.credentials.recordLoginSuccess({
    userId,
    checkedHash: account.passwordHash,
    newHash: null,
    secondFactor: true,
    at,
  });
  if (user === null) throw new InvalidChallenge();
  const sessionId = uuidV7() as Uuid;
  await noteRecoveryCode(repositories, completed, sessionId);
  if (completed.assessment !== null) {
    await deps.detection.record(repositories, completed.assessment, { userId, device, at, sessionId });
  }
  const authentication = authenticationContext([...challenge.amr, ...shown.amr], at);
  const mayTrust =
    completed.wantsTrust &&
    device.fingerprint !== null &&
    authentication.acr === 'aal2' &&
    deps.trustedDevicePolicy.allows(user.roles);
  const trusted = mayTrust
    ? await trustDevice(repositories, deps.trustedDevicePolicy, {
        userId,
        roles: user.roles,
        email: user.email,
        sessionId,
        device,
        at,
      })
    : null;
  const isFirst = challenge.purpose === 'passkey_sign_in';
  const signedIn = await openSession(deps, repositories, {
    user,
    sessionId,
    device,
    authentication,
    isTrustedDevice: false,
    at,
    metadata: isFirst ? { method } : { method: 'password', second_factor: method },
  });
  const trust = trusted === null ? null : { token: trusted.token, expiresAt: trusted.device.expiresAt };
  return { ...signedIn, trust };
}

/** Whoever has a recovery code is past all factors: its owner is told. */
async function noteRecoveryCode(
  repositories: Repositories,
  { account: { user }, shown: { recoveryCodesLeft: left }, device, at }: CompletedSignIn,
  sessionId: Uuid,
): Promise<void> {
  if (left === undefined) return;
  await repositories.securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'recovery_code_used',
    severity: 'medium',
    description: 'A recovery code stood in for the second factor.',
    userId: user.id,
    sessionId,
    device,
    metadata: { left },
    createdAt: at,
  });
  await mailFactorNotice(repositories, user, { template: 'recovery_code_used', left, at });
}
