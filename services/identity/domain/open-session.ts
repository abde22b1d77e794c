import { v7 as uuidV7 } from 'uuid';
import type { AccessTokens, IssuedAccessToken } from './access-token.ts';
import type { AuthenticationContext } from './authentication-context.ts';
import type { Device } from './device.ts';
import { createRefreshToken } from './refresh-token.ts';
import type { Session } from './session.ts';
import type { SessionPolicy } from './session-policy.ts';
import type { Repositories } from './unit-of-work.ts';
import type { User } from './user.ts';
import type { Uuid } from './uuid.ts';

export interface OpenSessionDeps {
  readonly accessTokens: AccessTokens;
  readonly sessionPolicy: Pick<SessionPolicy, 'beforeOpen'>;
  /** How long a session and its refresh tokens last at most, in milliseconds: 30 days unless set otherwise. */
  readonly sessionLifetimeMs: number;
}

/** A session that was opened, and what its user is given. */
export interface SignedIn {
  readonly user: User;
  readonly session: Session;
  readonly accessToken: IssuedAccessToken;
  readonly refreshToken: { readonly token: string; readonly expiresAt: Date };
}

/** A session that is to be opened, for a user who has shown everything that is due. */
export interface OpeningSession {
  /** As the sign-in was recorded: the transaction holds the row. */
  readonly user: User;
  readonly sessionId: Uuid;
  readonly device: Device;
  readonly authentication: AuthenticationContext;
  /** Whether a trusted device stands in for the second factor. */
  readonly isTrustedDevice: boolean;
  /** What was shown, for the audit log. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly at: Date;
}

/**
 * Opens a session: session, refresh-token family and `login_succeeded` event. Comes last in a transaction, as it may end
 * other sessions, for which all who revoke wait.
 *
 * @throws DatabaseUnavailable, SecretUnreadable (no key to sign with)
 */
export async function openSession(
  deps: OpenSessionDeps,
  repositories: Repositories,
  opening: OpeningSession,
): Promise<SignedIn> {
  const { user, sessionId, device, authentication, isTrustedDevice, metadata, at } = opening;
  const { sessions, refreshTokenFamilies, securityEvents } = repositories;
  const userId = user.id;
  const expiresAt = new Date(at.getTime() + deps.sessionLifetimeMs);
  const session: Session = {
    id: sessionId,
    userId,
    device,
    createdAt: at,
    expiresAt,
    lastActivityAt: at,
    authentication,
    mfaVerified: authentication.acr === 'aal2',
    isTrustedDevice,
  };
  await securityEvents.append({
    id: uuidV7() as Uuid,
    type: 'login_succeeded',
    severity: 'info',
    description: 'A session was opened.',
    userId,
    sessionId,
    device,
    metadata,
    createdAt: at,
  });
  const accessToken = await deps.accessTokens.issue({
    userId,
    sessionId,
    roles: user.roles,
    generation: user.tokenGeneration,
    authentication,
  });
  // As late as may be: where it ends sessions, all who revoke wait for this transaction.
  await deps.sessionPolicy.beforeOpen(repositories, { userId, at });
  await sessions.insert(session);
  const familyId = uuidV7() as Uuid;
  const refreshToken = createRefreshToken(familyId);
  await refreshTokenFamilies.insert({
    id: familyId,
    userId,
    sessionId,
    deviceId: device.id,
    createdAt: at,
    expiresAt,
    currentTokenHash: refreshToken.hash,
  });
  return { user, session, accessToken, refreshToken: { token: refreshToken.token, expiresAt } };
}
