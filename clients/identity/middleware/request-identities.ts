import type { HttpAnswer } from '../../http/problem.ts';
import type { VerifiedToken } from '../verified-token.ts';
import { refusalAnswer } from './refusal-answer.ts';
import { type Requirement, unmet } from './requirement.ts';

interface Authenticated {
  readonly identity: VerifiedToken | undefined;
  readonly realm: string;
}

/** Beside the requests, where no other middleware and nothing that a client sends can put an identity. */
const authenticated = new WeakMap<object, Authenticated>();

/** Remembers whose request it is, for as long as the request itself is remembered. */
export function rememberIdentity(request: object, { identity, realm }: Authenticated): void {
  authenticated.set(request, { identity, realm });
}

/** Whose request it is; undefined where it is nobody's or was not authenticated. */
export function identityOfRequest(request: object): VerifiedToken | undefined {
  return authenticated.get(request)?.identity;
}

/**
 * The refusal of a request whose identity is not enough; undefined where it is.
 *
 * @throws Error where the request was not authenticated before: the route is not put together right
 */
export function refusalByIdentity(request: object, requirement: Requirement): HttpAnswer | undefined {
  const known = authenticated.get(request);
  if (known === undefined)
    throw new Error('requireIdentity() stands behind authenticate(), which did not run');
  const refusal = unmet(known.identity, requirement);
  return refusal === undefined ? undefined : refusalAnswer(refusal, known.realm);
}
