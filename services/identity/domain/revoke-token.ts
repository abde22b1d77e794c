import type { ChangeOrigin } from './change.ts';
import type { Device } from './device.ts';
import { MalformedToken } from './errors.ts';
import type { VerifiedToken } from './introspect-tokens.ts';
import { parseRefreshToken } from './refresh-token.ts';
import { endOneSession, type RevokeDeps } from './revoke-session.ts';
import { sessionEvent } from './session-event.ts';
import { isGood } from './session-state.ts';

/**
 * Takes a token back (RFC 7009): of an access token just this one, of a refresh token its whole session. One that is not
 * good any more is left as it is.
 *
 * @throws DatabaseUnavailable
 */
export async function revokeToken(deps: RevokeDeps, token: string, origin: ChangeOrigin): Promise<void> {
  const presented = parseRefreshToken(token);
  if (presented === null) {
    await revokeAccessToken(deps, token, origin);
    return;
  }
  const owner = await deps.sessions.findByRefreshToken(presented);
  if (owner === null) return;
  await endOneSession(deps, owner, 'revoked', {
    type: 'session_revoked',
    severity: 'medium',
    description: 'A session was ended by taking back its refresh token.',
    metadata: origin,
  });
}

/** What a user signs out with. */
export type SignOutToken =
  | { readonly kind: 'access'; readonly token: string }
  | { readonly kind: 'refresh'; readonly token: string };

/**
 * Ends the session of a token that is still good.
 *
 * @throws DatabaseUnavailable
 */
export async function signOut(
  deps: RevokeDeps,
  { kind, token }: SignOutToken,
  device: Device,
): Promise<void> {
  const change = {
    type: 'signed_out',
    severity: 'info',
    description: 'A user signed out.',
    device,
    metadata: { token: kind },
  } as const;
  if (kind === 'refresh') {
    const presented = parseRefreshToken(token);
    const owner = presented === null ? null : await deps.sessions.findByRefreshToken(presented);
    if (owner !== null) await endOneSession(deps, owner, 'signed_out', change);
    return;
  }
  const verified = await verify(deps, token);
  if (verified === null) return;
  const { sid: sessionId, sub: userId, kid: keyId } = verified.claims;
  const [state] = await deps.states.read([{ sessionId, userId, keyId }]);
  if (!state) {
    // Whoever ended the session may have died before everybody knew. But the key may be gone too, as one in wrong hands
    // is: then the token must not end anything.
    await deps.barrier.enforce([{ kind: 'session', sessionId, userId }]);
    return;
  }
  // A token that was taken back must not end a session.
  if (!isGood(verified.claims, state, deps.sessionPolicy, deps.now().getTime())) return;
  await endOneSession(deps, { sessionId, userId }, 'signed_out', change);
}

async function revokeAccessToken(deps: RevokeDeps, token: string, origin: ChangeOrigin): Promise<void> {
  const verified = await verify(deps, token);
  if (verified === null) return;
  const { sid: sessionId, sub: userId, jti: tokenId, kid: keyId, exp } = verified.claims;
  const subject = { kind: 'token', tokenId, sessionId, userId } as const;
  const [state] = await deps.states.read([{ sessionId, userId, keyId }]);
  const at = deps.now();
  if (!state || !isGood(verified.claims, state, deps.sessionPolicy, at.getTime())) {
    // Whoever saw to that may have died before everybody knew.
    await deps.barrier.enforce([subject, { kind: 'session', sessionId, userId }]);
    return;
  }
  await deps.unitOfWork.transactional(async ({ securityEvents, revocations }) => {
    const event = sessionEvent({
      type: 'token_revoked',
      severity: 'medium',
      description: 'An access token was taken back.',
      userId,
      sessionId,
      metadata: { ...origin, token_id: tokenId },
      at,
    });
    await securityEvents.append(event);
    await revocations.add([
      { ...subject, reason: 'revoked', createdAt: at, tokenExpiresAt: new Date(exp * 1000) },
    ]);
  });
}

async function verify(deps: RevokeDeps, token: string): Promise<VerifiedToken | null> {
  try {
    return await deps.verifiedTokens.verify(token, deps.now().getTime());
  } catch (error) {
    if (error instanceof MalformedToken) return null;
    throw error;
  }
}
