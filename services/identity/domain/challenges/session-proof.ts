import type { AuthenticationContext } from '../authentication-context.ts';
import { MalformedToken } from '../errors.ts';
import { type IntrospectDeps, introspect } from '../introspect.ts';
import type { CredentialReads, SessionReads } from '../reads.ts';
import type { Uuid } from '../uuid.ts';
import { InvalidAccessToken, ReauthenticationRequired } from './errors.ts';

export interface SessionProofDeps {
  readonly introspection: IntrospectDeps;
  readonly sessions: Pick<SessionReads, 'find'>;
  readonly credentialReads: Pick<CredentialReads, 'findCredentialsById'>;
  /** How long ago a user may have authenticated for something sensitive, in milliseconds. */
  readonly stepUpMaxAgeMs: number;
  readonly now: () => Date;
}

/** A user who has shown an access token that is good. */
export interface SessionProof {
  readonly userId: Uuid;
  readonly sessionId: Uuid;
  readonly authentication: AuthenticationContext;
  /** Whether the account has a second factor. */
  readonly mfaEnabled: boolean;
}

/** Whose access token it is. @throws InvalidAccessToken, DatabaseUnavailable */
export async function requireSession(deps: SessionProofDeps, accessToken: string): Promise<SessionProof> {
  const found = await introspect(deps.introspection, accessToken).catch((error: unknown) => {
    if (error instanceof MalformedToken) throw new InvalidAccessToken();
    throw error;
  });
  if (!found.active) throw new InvalidAccessToken();
  const { sub: userId, sid: sessionId } = found.claims;
  // The row and not the token: a step-up makes every token of the session fresh.
  const [session, account] = await Promise.all([
    deps.sessions.find(sessionId),
    deps.credentialReads.findCredentialsById(userId),
  ]);
  if (session === null || account === null) throw new InvalidAccessToken();
  return { userId, sessionId, authentication: session.authentication, mfaEnabled: account.mfaEnabled };
}

/**
 * Whose access token it is, where the user has authenticated lately (RFC 9470): with two factors where the account has
 * a second one, or where `acr` asks for them in any case.
 *
 * @throws InvalidAccessToken, ReauthenticationRequired, DatabaseUnavailable
 */
export async function requireFreshSession(
  deps: SessionProofDeps,
  accessToken: string,
  acr: 'aal1' | 'aal2' = 'aal1',
): Promise<SessionProof> {
  const proof = await requireSession(deps, accessToken);
  const wanted = proof.mfaEnabled ? 'aal2' : acr;
  const { authenticatedAt, acr: shown } = proof.authentication;
  const age = deps.now().getTime() - authenticatedAt.getTime();
  if (age > deps.stepUpMaxAgeMs || (wanted === 'aal2' && shown !== 'aal2')) {
    throw new ReauthenticationRequired(Math.floor(deps.stepUpMaxAgeMs / 1000), wanted);
  }
  return proof;
}
