import type { AccessTokenClaims } from './access-token.ts';
import { MalformedToken } from './errors.ts';
import type { VerifiedToken, VerifiedTokens } from './introspect-tokens.ts';
import type { SessionActivity } from './session-activity.ts';
import type { SessionPolicy } from './session-policy.ts';
import { isGood, type LiveState } from './session-state.ts';

/** Finds what tokens stand on, in whatever way is fastest and still true. */
export interface LiveStates {
  /**
   * Null where the token is not good whatever its claims say.
   *
   * @throws DatabaseUnavailable
   */
  find(token: VerifiedToken): Promise<LiveState | null>;
}

export interface IntrospectDeps {
  readonly verifiedTokens: VerifiedTokens;
  readonly liveStates: LiveStates;
  readonly sessionPolicy: SessionPolicy;
  readonly sessionActivity: Pick<SessionActivity, 'touch'>;
  readonly now: () => Date;
}

/** What a token is worth: nothing, or what it says together with what holds at this moment. */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true;
      readonly claims: AccessTokenClaims;
      readonly clientId: string;
      readonly state: LiveState;
    };

const INACTIVE: Introspection = { active: false };

/**
 * Tells whether an access token is good at this moment (RFC 7662). The roles are the user's current ones, which may be
 * others than those that the token says. A token that is good was used: its session is not idle.
 *
 * @throws MalformedToken, DatabaseUnavailable: a token is never called good, nor bad, where that could not be found out.
 */
export async function introspect(deps: IntrospectDeps, token: string): Promise<Introspection> {
  const at = deps.now().getTime();
  const verified = deps.verifiedTokens.peek(token, at) ?? (await deps.verifiedTokens.verify(token, at));
  if (verified === null) return INACTIVE;
  const state = await deps.liveStates.find(verified);
  if (state === null || !isGood(verified.claims, state, deps.sessionPolicy, at)) return INACTIVE;
  deps.sessionActivity.touch(verified.claims.sid, at);
  return { active: true, claims: verified.claims, clientId: verified.clientId, state };
}

/**
 * Looks into several tokens, in their order. A text that has not the form of a token is not active.
 *
 * @throws DatabaseUnavailable
 */
export async function introspectAll(
  deps: IntrospectDeps,
  tokens: readonly string[],
): Promise<readonly Introspection[]> {
  return await Promise.all(
    tokens.map((token) =>
      introspect(deps, token).catch((error: unknown) => {
        if (error instanceof MalformedToken) return INACTIVE;
        throw error;
      }),
    ),
  );
}
