import { v7 as uuidV7 } from 'uuid';
import type { AccessTokens, IssuedAccessToken } from './access-token.ts';
import { limitByAccount, limitByAddress } from './attempt-limits.ts';
import type { Device } from './device.ts';
import type { EmailAddress } from './email.ts';
import { HashingOverloaded, InvalidCredentials } from './errors.ts';
import type { Limiter } from './limiter.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { parseNewPassword } from './password-policy.ts';
import type { Credentials, UserReads } from './reads.ts';
import { createRefreshToken } from './refresh-token.ts';
import type { Session } from './session.ts';
import type { Repositories, UnitOfWork } from './unit-of-work.ts';
import type { User } from './user.ts';
import type { Uuid } from './uuid.ts';

export interface AuthenticateDeps {
  readonly limiter: Limiter;
  readonly hasher: PasswordHasher;
  readonly users: UserReads;
  readonly unitOfWork: UnitOfWork;
  readonly accessTokens: AccessTokens;
  /** How long a session and its refresh tokens last at most, in milliseconds: 30 days unless set otherwise. */
  readonly sessionLifetimeMs: number;
  readonly now: () => Date;
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

/** Why a sign-in was refused: for the audit log, never for the caller. */
type Refusal =
  | 'unknown_address'
  | 'no_password'
  | 'wrong_password'
  | 'account_not_active'
  | 'account_locked'
  | 'second_factor_required'
  | 'account_changed';

/**
 * Signs a user in with a password: session, refresh-token family, sign-in time and `login_succeeded` event are written
 * in one transaction; of a refusal, the count and a `login_failed` event.
 *
 * Whatever the reason for a refusal, the same steps run: the limits, one read, one hash, one transaction.
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
  await limitByAccount(deps.limiter, 'auth_login', email, signal);
  await deps.accessTokens.prepare();

  const account = await deps.users.findCredentials(email.normalized);
  const matches = await deps.hasher.verify(password, account?.passwordHash ?? null, signal);
  const checkedHash = account?.passwordHash ?? null;
  const refusal = refusalOf(account, matches, deps.now());
  if (refusal === null && account !== null && checkedHash !== null) {
    const newHash = await rehash(deps.hasher, password, checkedHash, signal);
    signal?.throwIfAborted();
    const signedIn = await deps.unitOfWork.transactional((repositories) =>
      openSession(deps, repositories, { userId: account.userId, checkedHash, newHash, device }),
    );
    if (signedIn !== null) return signedIn;
  }
  await recordRefusal(deps, account?.userId ?? null, refusal ?? 'account_changed', device);
  throw new InvalidCredentials();
}

function refusalOf(account: Credentials | null, matches: boolean, now: Date): Refusal | null {
  if (account === null) return 'unknown_address';
  if (account.passwordHash === null) return 'no_password';
  if (!matches) return 'wrong_password';
  if (account.status !== 'active') return 'account_not_active';
  if (account.lockedUntil !== null && account.lockedUntil > now) return 'account_locked';
  // No second factor can be presented yet: such an account is better shut than open with the password alone.
  if (account.mfaEnabled) return 'second_factor_required';
  return null;
}

/** The same password at today's cost, where the stored hash has another. Never a reason to fail the sign-in. */
async function rehash(
  hasher: PasswordHasher,
  password: string,
  stored: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  if (!hasher.needsRehash(stored)) return null;
  // The minimum may have been raised since the password was chosen.
  const chosen = parseNewPassword(password, 1);
  if (!chosen.ok) return null;
  try {
    return await hasher.hash(chosen.value, signal);
  } catch (error) {
    if (error instanceof HashingOverloaded) return null;
    throw error;
  }
}

/** Null where the user may not sign in any more, though a moment ago it looked so. */
async function openSession(
  deps: AuthenticateDeps,
  { users, sessions, refreshTokenFamilies, securityEvents }: Repositories,
  login: {
    readonly userId: Uuid;
    readonly checkedHash: string;
    readonly newHash: string | null;
    readonly device: Device;
  },
): Promise<SignedIn | null> {
  const at = deps.now();
  const { userId, checkedHash, newHash, device } = login;
  const user = await users.recordLoginSuccess({ userId, checkedHash, newHash, at });
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
  await sessions.insert(session);
  const refreshToken = createRefreshToken();
  await refreshTokenFamilies.insert({
    id: uuidV7() as Uuid,
    userId,
    sessionId: session.id,
    deviceId: device.id,
    createdAt: at,
    expiresAt,
    currentTokenHash: refreshToken.hash,
  });
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
  const accessToken = await deps.accessTokens.issue({ userId, sessionId: session.id, roles: user.roles });
  return { user, session, accessToken, refreshToken: { token: refreshToken.token, expiresAt } };
}

async function recordRefusal(
  deps: AuthenticateDeps,
  userId: Uuid | null,
  reason: Refusal,
  device: Device,
): Promise<void> {
  await deps.unitOfWork.transactional(async ({ users, securityEvents }) => {
    await users.recordLoginFailure(userId);
    await securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'login_failed',
      severity: 'low',
      description: 'A sign-in with a password was refused.',
      userId,
      sessionId: null,
      device,
      metadata: { method: 'password', reason },
      createdAt: deps.now(),
    });
  });
}
