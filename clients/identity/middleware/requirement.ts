import type { VerifiedToken } from '../verified-token.ts';
import type { Refusal } from './refusal.ts';

/** What a route asks of the caller's token. An empty one asks for a good token. */
export interface Requirement {
  /** The user must have one of these. */
  readonly roles?: readonly string[] | undefined;
  /** The least assurance level (NIST SP 800-63B-4): `aal2` asks for a second factor. */
  readonly acr?: 'aal1' | 'aal2' | undefined;
  /** How long ago the user may have authenticated, in whole seconds from 1. */
  readonly maxAgeSeconds?: number | undefined;
}

const LEVELS: readonly unknown[] = ['aal1', 'aal2'];
const PARTS: readonly string[] = ['roles', 'acr', 'maxAgeSeconds'] satisfies (keyof Requirement)[];

/**
 * The requirement as it is, once it is known to be one.
 *
 * @throws TypeError that names the part which can't be meant so: a part that is misspelt would leave its route open
 */
export function checkedRequirement(requirement: Requirement): Requirement {
  for (const part of Object.keys(requirement)) {
    if (!PARTS.includes(part)) throw new TypeError(`a requirement has no ${JSON.stringify(part)}`);
  }
  const { roles, acr, maxAgeSeconds } = requirement;
  if (roles !== undefined && !isRoles(roles))
    throw new TypeError('roles must be a list of one name at least');
  if (acr !== undefined && !LEVELS.includes(acr)) throw new TypeError('acr must be aal1 or aal2');
  if (maxAgeSeconds !== undefined && !(Number.isSafeInteger(maxAgeSeconds) && maxAgeSeconds >= 1)) {
    throw new TypeError('maxAgeSeconds must be a whole number of seconds from 1');
  }
  return requirement;
}

/**
 * Why this identity is not enough; undefined where it is. Roles come first: nobody is made to authenticate again for what
 * they may not do then either.
 */
export function unmet(
  identity: VerifiedToken | undefined,
  { roles, acr, maxAgeSeconds }: Requirement,
): Refusal | undefined {
  if (identity === undefined) return { error: 'token_missing' };
  if (roles !== undefined && !roles.some((role) => identity.roles.includes(role))) {
    return { error: 'insufficient_scope' };
  }
  // Token and requirement name levels alike; a level that is none, or not told, is below each.
  const reachesLevel = acr === undefined || LEVELS.indexOf(identity.acr) >= LEVELS.indexOf(acr);
  if (reachesLevel && isRecent(identity.authenticatedAt, maxAgeSeconds)) return undefined;
  return { error: 'insufficient_user_authentication', acr, maxAgeSeconds };
}

function isRecent(authenticatedAt: Date | null, maxAgeSeconds: number | undefined): boolean {
  if (maxAgeSeconds === undefined) return true;
  return authenticatedAt !== null && Date.now() - authenticatedAt.getTime() <= maxAgeSeconds * 1000;
}

function isRoles(roles: unknown): boolean {
  return (
    Array.isArray(roles) &&
    roles.length > 0 &&
    roles.every((role) => typeof role === 'string' && role.length > 0)
  );
}
