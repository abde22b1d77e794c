import type { IssuedAccessToken } from '../access-token.ts';
import { limitByAddress, limitByChallenge, limitByUser } from '../attempt-limits.ts';
import type { SignInAccount } from '../credential-store.ts';
import { requireOpenNetwork } from '../credentials/network-throttle.ts';
import { type Refusal, writeRefusal } from '../credentials/record-refusal.ts';
import type { Assessment } from '../detection/sign-in-detection.ts';
import type { Device } from '../device.ts';
import { readAssertion } from '../passkeys/authentication.ts';
import { PasskeyRefused } from '../passkeys/errors.ts';
import { SecondFactorRefused } from '../second-factors/errors.ts';
import type { Session } from '../session.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { User } from '../user.ts';
import type { Uuid } from '../uuid.ts';
import { type Challenge, hashChallengeToken, passwordDigest } from './challenge.ts';
import type { ChallengeDeps } from './challenge-deps.ts';
import { InvalidChallenge } from './errors.ts';
import { finishSignIn, type GivenTrust } from './finish-sign-in.ts';
import { finishStepUp } from './finish-step-up.ts';
import { type Proof, type ShownProof, verifyProof } from './verify-proof.ts';

/** What a user shows. */
export type TypedProof =
  | Exclude<Proof, { readonly method: 'password' }>
  | { readonly method: 'password'; readonly password: string };

/** A challenge that a user completes. */
export interface ChallengeCompletion {
  readonly token: string;
  readonly proof: TypedProof;
  /** Id and fingerprint as when the challenge was begun. */
  readonly device: Device;
  /** Whether the device is to be trusted, if it may be. Of a sign-in only. */
  readonly wantsTrust: boolean;
}

/** The session that was opened or made fresh. */
export interface ChallengeCompleted {
  readonly user: User;
  readonly session: Session;
  readonly accessToken: IssuedAccessToken;
  /** Null after a step-up: the session's stays as it is. */
  readonly refreshToken: { readonly token: string; readonly expiresAt: Date } | null;
  /** Null where the device is not trusted. */
  readonly trust: GivenTrust | null;
}

/**
 * Completes a challenge. The challenge, what is used up to complete it, and what comes of it are written in one
 * transaction; so are a wrong proof's count and its `login_failed` event, by which an account may be locked.
 *
 * Of a sign-in with a passkey alone all refusals are alike, whether anybody has the passkey or may sign in with it.
 *
 * @throws RateLimited, RateLimiterUnavailable, InvalidChallenge, SecondFactorRefused, HashingOverloaded,
 *   DatabaseUnavailable, SecretUnreadable; the signal's reason where it is aborted before anything is written.
 */
export async function completeChallenge(
  deps: ChallengeDeps,
  completion: ChallengeCompletion,
  signal?: AbortSignal,
): Promise<ChallengeCompleted> {
  const { device } = completion;
  const tokenHash = hashChallengeToken(completion.token);
  await limitByChallenge(deps.limiter, 'auth_mfa', tokenHash, signal);
  const challenge = await deps.challengeReads.findOpen(tokenHash, deps.now());
  if (challenge === null || !isCompletedBy(challenge, device)) throw new InvalidChallenge();
  await (challenge.userId === null
    ? limitByAddress(deps.limiter, 'auth_login', device.ipAddress, signal)
    : limitByUser(deps.limiter, 'auth_mfa', challenge.userId, signal));
  await requireOpenNetwork(deps, device.ipAddress);
  await deps.accessTokens.prepare();

  const attempt = await prepare(deps, { challenge, tokenHash, completion }, signal);
  signal?.throwIfAborted();
  const outcome = await deps.unitOfWork.transactional((repositories) =>
    complete(deps, repositories, attempt),
  );
  if (outcome === 'invalid') throw new InvalidChallenge();
  if ('attemptsLeft' in outcome) throw new SecondFactorRefused(outcome.attemptsLeft, outcome.reason);
  if (challenge.purpose === 'step_up') await deps.stateCache.forget(outcome.session.id);
  return outcome;
}

/** A challenge is its device's: what another device was told, or has stolen, is of no use. */
function isCompletedBy({ purpose, device: begun }: Challenge, device: Device): boolean {
  return (
    purpose !== 'passkey_registration' && begun.id === device.id && begun.fingerprint === device.fingerprint
  );
}

/** What is known before the transaction begins, so that nobody waits for it there. */
interface Attempt {
  readonly challenge: Challenge;
  readonly tokenHash: Buffer;
  readonly completion: ChallengeCompletion;
  readonly proof: Proof;
  /** Whose proof it would be; null where nobody has the passkey. */
  readonly userId: Uuid | null;
  /** The hash that a password was checked against; undefined where none was. */
  readonly checkedHash?: string | null;
  /** Of a sign-in that begins with this proof. */
  readonly assessment: Assessment | null;
}

async function prepare(
  deps: ChallengeDeps,
  known: Pick<Attempt, 'challenge' | 'tokenHash' | 'completion'>,
  signal: AbortSignal | undefined,
): Promise<Attempt> {
  const { challenge, completion } = known;
  const { proof, device } = completion;
  if (challenge.userId === null) {
    const userId = proof.method === 'passkey' ? await ownerOf(deps, proof.response) : null;
    const at = deps.now();
    const assessment = userId === null ? null : await deps.detection.assess({ userId, device, at });
    const shown: Proof = proof.method === 'password' ? { method: 'password', matches: false } : proof;
    return { ...known, proof: shown, userId, assessment };
  }
  const { userId } = challenge;
  if (proof.method !== 'password') return { ...known, proof, userId, assessment: null };
  const account = await deps.credentialReads.findCredentialsById(userId);
  const checkedHash = account?.passwordHash ?? null;
  const matches = await deps.hasher.verify(proof.password, checkedHash, signal);
  return { ...known, proof: { method: 'password', matches }, userId, checkedHash, assessment: null };
}

/** Whose passkey a response says it is of. Whether it is, is found out with the challenge. */
async function ownerOf({ passkeyReads }: ChallengeDeps, response: string): Promise<Uuid | null> {
  try {
    const { credentialId } = readAssertion(response);
    return (await passkeyReads.findByCredentialId(credentialId))?.userId ?? null;
  } catch (error) {
    if (error instanceof PasskeyRefused) return null;
    throw error;
  }
}

type Outcome = ChallengeCompleted | { readonly attemptsLeft: number; readonly reason: Refusal } | 'invalid';

async function complete(deps: ChallengeDeps, repositories: Repositories, attempt: Attempt): Promise<Outcome> {
  const { challenge, tokenHash, completion, proof, userId, assessment } = attempt;
  const { device } = completion;
  const { credentials, challenges } = repositories;
  const at = deps.now();
  // The user's row before the challenge's, as everybody takes the two.
  const account = userId === null ? null : await credentials.holdForSignIn({ userId, at });
  if (challenge.userId !== null && (account === null || !isAsBefore(attempt, account))) return 'invalid';
  const attemptsLeft = await challenges.recordAttempt({ tokenHash, at });
  if (attemptsLeft === null) return 'invalid';
  const shown =
    account === null
      ? null
      : await verifyProof(repositories, {
          challenge,
          user: account.user,
          proof,
          relyingParty: deps.relyingParty,
          device,
          at,
        });
  if (account === null || shown === null || assessment?.lock) {
    if (userId !== null && shown !== null && assessment !== null) {
      await deps.detection.record(repositories, assessment, { userId, device, at, sessionId: null });
    }
    const reason = refusalOf(attempt, account, shown);
    await writeRefusal(deps, repositories, { userId, reason, device, method: proof.method });
    return { attemptsLeft, reason };
  }
  // The row is held since the attempt was counted. Thrown, what was used up to get here is good again.
  if ((await challenges.use({ tokenHash, at })) === null) throw new InvalidChallenge();
  if (challenge.purpose === 'step_up' && challenge.sessionId !== null) {
    const { sessionId } = challenge;
    const stepUp = { sessionId, user: account.user, method: proof.method, shown, device, at };
    return { ...(await finishStepUp(deps, repositories, stepUp)), refreshToken: null, trust: null };
  }
  const { wantsTrust } = completion;
  const signIn = { challenge, account, method: proof.method, shown, device, wantsTrust, assessment, at };
  return await finishSignIn(deps, repositories, signIn);
}

/** Whether the account still has the password that was checked. */
function isAsBefore({ challenge, checkedHash }: Attempt, { passwordHash }: SignInAccount): boolean {
  if (checkedHash !== undefined && checkedHash !== passwordHash) return false;
  const { passwordDigest: digest } = challenge;
  return digest === null || (passwordHash !== null && digest.equals(passwordDigest(passwordHash)));
}

function refusalOf(
  { userId, proof }: Attempt,
  account: SignInAccount | null,
  shown: ShownProof | null,
): Refusal {
  if (userId === null) return 'unknown_user';
  if (account === null) return 'account_not_active';
  if (shown !== null) return 'detection_lock';
  return proof.method === 'password' ? 'wrong_password' : 'second_factor_wrong';
}
