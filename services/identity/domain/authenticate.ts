import { v7 as uuidV7 } from 'uuid';
import type { AccessTokens, IssuedAccessToken } from './access-token.ts';
import { limitByAccount, limitByAddress } from './attempt-limits.ts';
import { type NetworkLocks, requireOpenNetwork } from './credentials/network-throttle.ts';
import {
  type RecordRefusalDeps,
  type Refusal,
  recordRefusal,
  refusalOf,
} from './credentials/record-refusal.ts';
import type { Device } from './device.ts';
import type { EmailAddress } from './email.ts';
import { HashingOverloaded, InvalidCredentials } from './errors.ts';
import type { Limiter } from './limiter.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { normalizePassword } from './password-policy.ts';
import type { CredentialReads, Credentials } from './reads.ts';
import { createRefreshToken } from './refresh-token.ts';
import type { Session } from './session.ts';
import type { SessionPolicy } from './session-policy.ts';
import type { Repositories } from './unit-of-work.ts';
import type { User } from './user.ts';
import type { Uuid } from './uuid.ts';

export interface AuthenticateDeps extends RecordRefusalDeps {
  readonly limiter: Limiter;
  readonly networkLocks: NetworkLocks;
  readonly hasher: PasswordHasher;
  readonly credentials: CredentialReads;
  readonly accessTokens: AccessTokens;
  readonly sessionPolicy: Pick<SessionPolicy, 'beforeOpen'>;
  /** How long a session and its refresh tokens last at most, in milliseconds: 30 days unless set otherwise. */
  readonly sessionLifetimeMs: number;
}

export interface SignIn {
  readonly email: EmailAddress;
  /** As typed; may be empty. */
  readonly password: string;
  readonly device: Device;
}

/** A session that was opened, and what its user is given. */
export interface SignedIn {
  readonly user: User;
  readonly session: Session;
  readonly accessToken: IssuedAccessToken;
  readonly refreshToken: { readonly token: string; readonly expiresAt: Date };
}

/**
 * Signs a user in with a password: session, refresh-token family, sign-in time and `login_succeeded` event are written
 * in one transaction; of a refusal, the counts and a `login_failed` event. A network that is locked out is refused before
 * the account is looked at.
 *
 * Whatever the reason for a refusal, the same steps run: the limits, two reads, one hash, one transaction.
 *
 * @throws RateLimited, RateLimiterUnavailable, HashingOverloaded, InvalidCredentials, DatabaseUnavailable,
 *   SecretUnreadable (no key to sign with); the signal's reason where it is aborted before the session is written.
 */
export async function authenticate(
  deps: AuthenticateDeps,
  { email, password, device }: SignIn,
  signal?: AbortSignal,
): Promise<SignedIn> {
  await limitByAddress(deps.limiter, 'auth_login', device.ipAddress, signal);
  // Before the account is counted: who is locked out must not use up another's attempts.
  await requireOpenNetwork(deps, device.ipAddress);
  await limitByAccount(deps.limiter, 'auth_login', email, signal);
  await deps.accessTokens.prepare();

  const first = await tryPassword(deps, { email, password, device }, signal);
  // Another sign-in with the same password may have hashed it anew meanwhile: that is no reason to refuse this one.
  const tried =
    'reason' in first && first.mayBeRehashed
      ? await tryPassword(deps, { email, password, device }, signal)
      : first;
  if (!('reason' in tried)) return tried;
  await recordRefusal(deps, { userId: tried.userId, reason: tried.reason, device });
  await tried.evenOut();
  throw new InvalidCredentials();
}

/** A sign-in that is refused. */
interface Refused {
  readonly userId: Uuid | null;
  readonly reason: Refusal;
  readonly evenOut: () => Promise<void>;
  /** The password was right for a hash of another cost than today's, which has been replaced since. */
  readonly mayBeRehashed: boolean;
}

/** Checks the password, and opens a session where it is right. */
async function tryPassword(
  deps: AuthenticateDeps,
  { email, password, device }: SignIn,
  signal: AbortSignal | undefined,
): Promise<SignedIn | Refused> {
  const account = await deps.credentials.findCredentials(email.normalized);
  const checkedHash = account?.passwordHash ?? null;
  const { matches, evenOut } = await deps.hasher.check(password, checkedHash, signal);
  const userId = account?.userId ?? null;
  const reason = signInRefusalOf(account, matches, deps.now());
  if (reason !== null || userId === null || checkedHash === null) {
    return { userId, reason: reason ?? 'no_password', evenOut, mayBeRehashed: false };
  }
  const newHash = await rehash(deps.hasher, password, checkedHash, signal);
  signal?.throwIfAborted();
  const signedIn = await deps.unitOfWork.transactional((repositories) =>
    openSession(deps, repositories, { userId, checkedHash, newHash, device }),
  );
  const mayBeRehashed = deps.hasher.needsRehash(checkedHash);
  return signedIn ?? { userId, reason: 'account_changed', evenOut, mayBeRehashed };
}

function signInRefusalOf(account: Credentials | null, matches: boolean, now: Date): Refusal | null {
  if (account === null) return 'unknown_address';
  const refusal = refusalOf(account, matches, now);
  // No second factor can be presented yet: such an account is better shut than open with the password alone.
  return refusal ?? (account.mfaEnabled ? 'second_factor_required' : null);
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

/** Null where the user may not sign in any more, though a moment ago it looked so. */
async function openSession(
  deps: AuthenticateDeps,
  repositories: Repositories,
  login: {
    readonly userId: Uuid;
    readonly checkedHash: string;
    readonly newHash: string | null;
    readonly device: Device;
  },
): Promise<SignedIn | null> {
  const at = deps.now();
  const { userId, checkedHash, newHash, device } = login;
  const { credentials, sessions, refreshTokenFamilies, securityEvents } = repositories;
  const user = await credentials.recordLoginSuccess({ userId, checkedHash, newHash, at });
  if (user === null) return null;

  const expiresAt = new Date(at.getTime() + deps.sessionLifetimeMs);
  const session: Session = {
    id: uuidV7() as Uuid,
    userId,
    device,
    createdAt: at,
    expiresAt,
    lastActivityAt: at,
    mfaVerified: false,
    isTrustedDevice: false,
  };
  await securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'login_succeeded',
    severity: 'info',
    description: 'A session was opened with a password.',
    userId,
    sessionId: session.id,
    device,
    metadata: { method: 'password' },
    createdAt: at,
  });
  const accessToken = await deps.accessTokens.issue({
    userId,
    sessionId: session.id,
    roles: user.roles,
    generation: user.tokenGeneration,
  });
  // As late as may be: where it ends sessions, all who revoke wait for this transaction.
  await deps.sessionPolicy.beforeOpen(repositories, { userId, at });
  await sessions.insert(session);
  const familyId = uuidV7() as Uuid;
  const refreshToken = createRefreshToken(familyId);
  await refreshTokenFamilies.insert({
    id: familyId,
    userId,
    sessionId: session.id,
    deviceId: device.id,
    createdAt: at,
    expiresAt,
    currentTokenHash: refreshToken.hash,
  });
  return { user, session, accessToken, refreshToken: { token: refreshToken.token, expiresAt } };
}
