import type { AccessTokenClaims, AccessTokens } from './access-token.ts';
import type { SessionReads, SessionState } from './reads.ts';

export interface IntrospectDeps {
  readonly accessTokens: AccessTokens;
  readonly sessions: SessionReads;
  readonly now: () => Date;
}

/** What a token is worth: nothing, or what it says together with what holds at this moment. */
export type Introspection =
  | { readonly active: false }
  | { readonly active: true; readonly claims: AccessTokenClaims; readonly state: SessionState };

/**
 * Tells whether an access token is good at this moment (RFC 7662). The roles are the user's current ones, which may be
 * others than those that the token says.
 *
 * @throws MalformedToken, DatabaseUnavailable: a token is never called good, nor bad, where that could not be found out.
 */
export async function introspect(deps: IntrospectDeps, token: string): Promise<Introspection> {
  const claims = await deps.accessTokens.verify(token);
  if (claims === null) return { active: false };
  const state = await deps.sessions.findLiveState(claims.sid, claims.sub, deps.now());
  return state === null ? { active: false } : { active: true, claims, state };
}
