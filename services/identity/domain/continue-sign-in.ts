import { v7 as uuidV7 } from 'uuid';
import { authenticationContext } from './authentication-context.ts';
import {
  type BeginChallengeDeps,
  beginChallenge,
  type OpenedChallenge,
} from './challenges/begin-challenge.ts';
import { passwordDigest } from './challenges/challenge.ts';
import { offeredMethods } from './challenges/offered-methods.ts';
import type { Assessment, SignInDetection } from './detection/sign-in-detection.ts';
import type { Device } from './device.ts';
import { checkTrust } from './devices/trust.ts';
import { recordTrustMismatch } from './devices/trust-mismatch.ts';
import type { TrustedDevicePolicy } from './devices/trusted-device-policy.ts';
import { type OpenSessionDeps, openSession, type SignedIn } from './open-session.ts';
import type { SecondFactorReads, SecondFactorSummary } from './second-factors/second-factors.ts';
import type { TrustedDevice } from './trusted-devices.ts';
import type { Repositories, UnitOfWork } from './unit-of-work.ts';
import type { User } from './user.ts';
import type { Uuid } from './uuid.ts';

export interface ContinueSignInDeps extends OpenSessionDeps, BeginChallengeDeps {
  readonly unitOfWork: UnitOfWork;
  readonly secondFactors: SecondFactorReads;
  readonly trustedDevicePolicy: TrustedDevicePolicy;
  readonly detection: SignInDetection;
  readonly now: () => Date;
}

/** A second factor is due. */
export interface FactorDue {
  readonly challenge: OpenedChallenge;
}

/** A sign-in whose password was right. */
export interface CheckedSignIn {
  readonly userId: Uuid;
  /** The hash that the password was checked against. */
  readonly checkedHash: string;
  /** The same password hashed at today's cost, where the old one is outdated. */
  readonly newHash: string | null;
  readonly device: Device;
  /** What the device shows to be trusted; null for nothing. */
  readonly trustToken: string | null;
  readonly assessment: Assessment;
}

/**
 * Opens the session of a user without a second factor. Null, and nothing written, where the user may not sign in any more,
 * though a moment ago it looked so, or has got a second factor.
 *
 * @throws DatabaseUnavailable, SecretUnreadable (no key to sign with)
 */
export async function openWithPassword(
  deps: ContinueSignInDeps,
  { userId, checkedHash, newHash, device, assessment }: CheckedSignIn,
): Promise<SignedIn | null> {
  return await deps.unitOfWork.transactional(async (repositories) => {
    const at = deps.now();
    const login = { userId, checkedHash, newHash, secondFactor: false, at };
    const user = await repositories.credentials.recordLoginSuccess(login);
    return user === null
      ? null
      : await open(deps, repositories, { user, device, assessment, trusted: null, at });
  });
}

/**
 * Asks a user for the second factor, or opens the session where a trusted device stands in for it. Null, and nothing
 * written, where the user may not sign in any more. The failures of the account are forgotten with the session, not with
 * the challenge: who has the password only must not be able to reset their count.
 *
 * @throws DatabaseUnavailable, SecretUnreadable (no key to sign with)
 */
export async function askForSecondFactor(
  deps: ContinueSignInDeps,
  signIn: CheckedSignIn,
): Promise<SignedIn | FactorDue | null> {
  const { userId, checkedHash, newHash, device, assessment } = signIn;
  const factors = await deps.secondFactors.find(userId);
  if (factors === null) return null;
  return await deps.unitOfWork.transactional(async (repositories) => {
    const { credentials } = repositories;
    const at = deps.now();
    const account = await credentials.holdForSignIn({ userId, at });
    if (account === null || account.passwordHash !== checkedHash) return null;
    if (newHash !== null) await credentials.replaceHash({ userId, newHash });
    const trusted = assessment.stepUp ? null : await useTrust(deps, repositories, signIn, account.user, at);
    // The last factor may have been removed a moment ago.
    if (trusted === null && account.user.mfaEnabled) {
      return { challenge: await begin(deps, repositories, { signIn, factors, at }) };
    }
    const login = { userId, checkedHash: null, newHash: null, secondFactor: true, at };
    const user = await credentials.recordLoginSuccess(login);
    return user === null ? null : await open(deps, repositories, { user, device, assessment, trusted, at });
  });
}

/** The trusted device that stands in for the second factor, whose use is counted; null where none does. */
async function useTrust(
  { trustedDevicePolicy }: ContinueSignInDeps,
  repositories: Repositories,
  { userId, trustToken, device }: CheckedSignIn,
  { roles }: User,
  at: Date,
): Promise<TrustedDevice | null> {
  if (trustToken === null) return null;
  const { trustedDevices } = repositories;
  const { trusted, mismatch } = await checkTrust(trustedDevices, { userId, token: trustToken, device, at });
  if (mismatch !== null) await recordTrustMismatch(repositories, { owner: mismatch, device, at });
  if (trusted === null || !trustedDevicePolicy.allows(roles)) return null;
  return await trustedDevices.recordUse({ id: trusted.id, userId, ipAddress: device.ipAddress, at });
}

async function begin(
  deps: ContinueSignInDeps,
  repositories: Repositories,
  {
    signIn: { userId, checkedHash, newHash, device, assessment },
    factors,
    at,
  }: { readonly signIn: CheckedSignIn; readonly factors: SecondFactorSummary; readonly at: Date },
): Promise<OpenedChallenge> {
  await repositories.securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'second_factor_requested',
    severity: 'info',
    description: 'The password was right, and a second factor is due.',
    userId,
    sessionId: null,
    device,
    metadata: { method: 'password' },
    createdAt: at,
  });
  await deps.detection.record(repositories, assessment, { userId, device, at, sessionId: null });
  const offer = { withPasskeys: deps.relyingParty !== null, withRecoveryCodes: true };
  return await beginChallenge(deps, repositories, {
    purpose: 'sign_in',
    userId,
    sessionId: null,
    amr: ['pwd'],
    device,
    createdAt: at,
    passwordDigest: passwordDigest(newHash ?? checkedHash),
    methods: offeredMethods(factors, offer),
    passkeys: factors.passkeys,
    userVerification: 'preferred',
  });
}

async function open(
  deps: ContinueSignInDeps,
  repositories: Repositories,
  opened: {
    readonly user: User;
    readonly device: Device;
    readonly assessment: Assessment;
    readonly trusted: TrustedDevice | null;
    readonly at: Date;
  },
): Promise<SignedIn> {
  const { user, device, assessment, trusted, at } = opened;
  const sessionId = uuidV7() as Uuid;
  await deps.detection.record(repositories, assessment, { userId: user.id, device, at, sessionId });
  return await openSession(deps, repositories, {
    user,
    sessionId,
    device,
    authentication: authenticationContext(['pwd'], at),
    at,
    isTrustedDevice: trusted !== null,
    metadata: { method: 'password', ...(trusted === null ? {} : { trusted_device_id: trusted.id }) },
  });
}
