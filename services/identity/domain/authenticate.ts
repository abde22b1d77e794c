import { limitByAccount, limitByAddress } from './attempt-limits.ts';
import {
  askForSecondFactor,
  type ContinueSignInDeps,
  type FactorDue,
  openWithPassword,
} from './continue-sign-in.ts';
import { type NetworkLocks, requireOpenNetwork } from './credentials/network-throttle.ts';
import {
  barOf,
  type RecordRefusalDeps,
  type Refusal,
  refusalOf,
  writeRefusal,
} from './credentials/record-refusal.ts';
import type { Assessment } from './detection/sign-in-detection.ts';
import type { Device } from './device.ts';
import type { EmailAddress } from './email.ts';
import { HashingOverloaded, InvalidCredentials } from './errors.ts';
import type { Limiter } from './limiter.ts';
import type { SignedIn } from './open-session.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { normalizePassword } from './password-policy.ts';
import type { CredentialReads } from './reads.ts';
import type { Uuid } from './uuid.ts';

export interface AuthenticateDeps extends RecordRefusalDeps, ContinueSignInDeps {
  readonly limiter: Limiter;
  readonly networkLocks: NetworkLocks;
  readonly hasher: PasswordHasher;
  readonly credentials: CredentialReads;
  readonly now: () => Date;
}

export interface SignIn {
  readonly email: EmailAddress;
  /** As typed; may be empty. */
  readonly password: string;
  readonly device: Device;
  /** What the device shows to be trusted; unset for nothing. One that is not good is as none. */
  readonly trustToken?: string;
}

/**
 * Signs a user in with a password: session, refresh-token family, sign-in time and `login_succeeded` event are written
 * in one transaction; where a second factor is due, the challenge and its event; of a refusal, the counts and a
 * `login_failed` event. A network that is locked out is refused before the account is looked at.
 *
 * Whatever the reason for a refusal, the same steps run: the limits, two reads, one hash, one transaction.
 *
 * @throws RateLimited, RateLimiterUnavailable, HashingOverloaded, InvalidCredentials, DatabaseUnavailable,
 *   SecretUnreadable (no key to sign with); the signal's reason where it is aborted before the session is written.
 */
export async function authenticate(
  deps: AuthenticateDeps,
  signIn: SignIn,
  signal?: AbortSignal,
): Promise<SignedIn | FactorDue> {
  const { email, device } = signIn;
  await limitByAddress(deps.limiter, 'auth_login', device.ipAddress, signal);
  // Before the account is counted: who is locked out must not use up another's attempts.
  await requireOpenNetwork(deps, device.ipAddress);
  await limitByAccount(deps.limiter, 'auth_login', email, signal);
  await deps.accessTokens.prepare();

  const first = await tryPassword(deps, signIn, signal);
  // Another sign-in with the same password may have hashed it anew meanwhile: that is no reason to refuse this one.
  const tried = 'reason' in first && first.mayBeRehashed ? await tryPassword(deps, signIn, signal) : first;
  if (!('reason' in tried)) return tried;
  await refuse(deps, tried, signIn);
  await tried.evenOut();
  throw new InvalidCredentials(tried.bar ?? tried.reason);
}

/** A sign-in that is refused. */
interface Refused {
  readonly userId: Uuid | null;
  readonly reason: Refusal;
  /** Counted instead, so that no figure tells a right password from a wrong one: why nobody can sign in to the account. */
  readonly bar?: Refusal | null;
  readonly evenOut: () => Promise<void>;
  /** The password was right for a hash of another cost than today's, which has been replaced since. */
  readonly mayBeRehashed: boolean;
  /** What locks the account. */
  readonly assessment?: Assessment;
}

async function refuse(
  deps: AuthenticateDeps,
  { userId, reason, assessment }: Refused,
  { email, device }: SignIn,
): Promise<void> {
  await deps.unitOfWork.transactional(async (repositories) => {
    if (assessment !== undefined && userId !== null) {
      const outcome = { userId, device, at: deps.now(), sessionId: null };
      await deps.detection.record(repositories, assessment, outcome);
    }
    await writeRefusal(deps, repositories, { userId, account: email.normalized, reason, device });
  });
}

/** Checks the password, and opens a session or asks for the second factor where it is right. */
async function tryPassword(
  deps: AuthenticateDeps,
  { email, password, device, trustToken }: SignIn,
  signal: AbortSignal | undefined,
): Promise<SignedIn | FactorDue | Refused> {
  const account = await deps.credentials.findCredentials(email.normalized);
  const checkedHash = account?.passwordHash ?? null;
  const { matches, evenOut } = await deps.hasher.check(password, checkedHash, signal);
  const userId = account?.userId ?? null;
  const now = deps.now();
  const refusal = account === null ? 'unknown_address' : refusalOf(account, matches, now);
  if (refusal !== null || account === null || userId === null || checkedHash === null) {
    const bar = account === null ? null : barOf(account, now);
    return { userId, reason: refusal ?? 'no_password', bar, evenOut, mayBeRehashed: false };
  }
  const newHash = await rehash(deps.hasher, password, checkedHash, signal);
  const assessment = await deps.detection.assess({ userId, device, at: deps.now() });
  if (assessment.lock) {
    return { userId, reason: 'detection_lock', evenOut, mayBeRehashed: false, assessment };
  }
  signal?.throwIfAborted();
  const proceed = account.mfaEnabled ? askForSecondFactor : openWithPassword;
  const checked = { userId, checkedHash, newHash, device, trustToken: trustToken ?? null, assessment };
  const mayBeRehashed = deps.hasher.needsRehash(checkedHash);
  return (await proceed(deps, checked)) ?? { userId, reason: 'account_changed', evenOut, mayBeRehashed };
}

/** The same password at today's cost, where the stored hash has another. Never a reason to fail the sign-in. */
async function rehash(
  hasher: PasswordHasher,
  password: string,
  stored: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  if (!hasher.needsRehash(stored)) return null;
  try {
    // The policy is not asked: it may have become stricter since the password was chosen.
    return await hasher.hash(normalizePassword(password), signal);
  } catch (error) {
    if (error instanceof HashingOverloaded) return null;
    throw error;
  }
}
