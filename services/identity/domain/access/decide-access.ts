import { DatabaseUnavailable, MalformedToken } from '../errors.ts';
import { type IntrospectDeps, introspect } from '../introspect.ts';
import type { AccessDecision, AccessRequirement, ActiveToken, OriginalRequest } from './access.ts';
import type { AccessRules } from './access-rules.ts';
import { bearerToken } from './bearer-token.ts';

export interface AccessDeps {
  readonly introspection: IntrospectDeps;
  /** The rules as they are at this moment. */
  readonly accessRules: () => AccessRules;
}

/**
 * How long the database may take to tell of a token, in milliseconds. A gateway holds its client's request meanwhile, and
 * has to be told before it gives up by itself.
 */
const MOST_MS = 1000;

const MISSING: AccessDecision = { outcome: 'UNAUTHENTICATED', error: 'token_missing' };
const INVALID_REQUEST: AccessDecision = { outcome: 'UNAUTHENTICATED', error: 'invalid_request' };
const INVALID_TOKEN: AccessDecision = { outcome: 'UNAUTHENTICATED', error: 'invalid_token' };
const ANONYMOUS: AccessDecision = { outcome: 'ALLOWED', token: undefined };

/**
 * Whether a request to somebody else's service may go on: what the rules require of it, and what the gateway does beside
 * them, compared with its bearer token as it is worth at this moment.
 *
 * @param gateway what the gateway requires of the route; undefined: nothing of its own
 */
export async function decideAccess(
  deps: AccessDeps,
  request: OriginalRequest,
  gateway: AccessRequirement | undefined,
): Promise<AccessDecision> {
  const requirement = deps.accessRules().requirementOf(request, gateway);
  if (typeof requirement === 'string') return { outcome: 'FORBIDDEN', reason: requirement };
  if (requirement.token === 'deny') return { outcome: 'FORBIDDEN', reason: 'denied' };
  if (requirement.token === 'none') return ANONYMOUS;
  const token = bearerToken(request.authorization);
  if (token === undefined) return requirement.token === 'optional' ? ANONYMOUS : MISSING;
  if (token === null) return INVALID_REQUEST;
  try {
    const found = await within(MOST_MS, introspect(deps.introspection, token));
    if (found === undefined) return { outcome: 'UNAVAILABLE' };
    if (!found.active) return INVALID_TOKEN;
    return judge(found, requirement, deps.introspection.now().getTime());
  } catch (error) {
    if (error instanceof MalformedToken) return INVALID_TOKEN;
    if (error instanceof DatabaseUnavailable) return { outcome: 'UNAVAILABLE' };
    throw error;
  }
}

/** Undefined where it takes longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function judge(
  token: ActiveToken,
  { roles, acr, maxAgeSeconds }: AccessRequirement,
  at: number,
): AccessDecision {
  const { claims, state } = token;
  const held: readonly string[] = state.user.roles;
  // Before the step-up: authenticating again gives nobody a role.
  if (!roles.every((list) => list.some((role) => held.includes(role)))) {
    return { outcome: 'FORBIDDEN', reason: 'insufficient_scope' };
  }
  const isWeak = acr !== undefined && claims.acr !== acr && claims.acr !== 'aal2';
  const isOld =
    maxAgeSeconds !== undefined &&
    (claims.auth_time === undefined || (claims.auth_time + maxAgeSeconds) * 1000 < at);
  if (isWeak || isOld) return { outcome: 'STEP_UP_REQUIRED', acr, maxAgeSeconds };
  return { outcome: 'ALLOWED', token };
}
