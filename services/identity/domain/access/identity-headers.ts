import type { ActiveToken } from './access.ts';

/** Names of the headers that tell an upstream whose request it is. No client's own may ever reach it. */
export const IDENTITY_HEADERS = [
  'x-auth-user-id',
  'x-auth-session-id',
  'x-auth-roles',
  'x-auth-acr',
  'x-auth-time',
] as const;

export type IdentityHeaders = Readonly<Record<(typeof IDENTITY_HEADERS)[number], string>>;

const NOBODY: IdentityHeaders = {
  'x-auth-user-id': '',
  'x-auth-session-id': '',
  'x-auth-roles': '',
  'x-auth-acr': '',
  'x-auth-time': '',
};

/**
 * Who sends the request, for the upstream: always all of {@link IDENTITY_HEADERS}, empty where there is nothing to tell,
 * so that what a client sends of them is written over. Roles stand between commas and are the user's current ones;
 * `x-auth-time`, when the user authenticated last, is in seconds since 1970.
 */
export function identityHeaders(token: ActiveToken | undefined): IdentityHeaders {
  if (token === undefined) return NOBODY;
  const { claims, state } = token;
  return {
    'x-auth-user-id': claims.sub,
    'x-auth-session-id': claims.sid,
    'x-auth-roles': state.user.roles.join(','),
    'x-auth-acr': claims.acr ?? '',
    'x-auth-time': claims.auth_time === undefined ? '' : String(claims.auth_time),
  };
}
