import type { HttpFacts } from '../../http/http-facts.ts';
import { KeysUnknown, RevocationsUnknown, TokenInvalid, TokenRevoked } from '../token-errors.ts';
import type { TokenVerifier } from '../token-verifier.ts';
import type { VerifiedToken } from '../verified-token.ts';
import { bearerToken } from './bearer-token.ts';
import type { Refusal } from './refusal.ts';
import { checkedRequirement, type Requirement, unmet } from './requirement.ts';

/** How requests are authenticated. */
export interface AuthenticationOptions {
  readonly verifier: Pick<TokenVerifier, 'verify'>;
  /**
   * Requests without a token pass too, as nobody's; one with a token that is not good is refused all the same. It goes with
   * no requirement. Default: false.
   */
  readonly optional?: boolean | undefined;
  /** What all requests have to meet. Default: a good token. */
  readonly requirement?: Requirement | undefined;
  /** What challenges name as the protection space: printable ASCII without `"` and `\`. Default: `optix`. */
  readonly realm?: string | undefined;
}

/** The options, complete and sound. */
export interface Authentication {
  readonly verifier: Pick<TokenVerifier, 'verify'>;
  readonly optional: boolean;
  readonly requirement: Requirement;
  readonly realm: string;
}

/** Whose request it is, undefined being nobody's; or why it does not pass. */
export type AuthenticationOutcome =
  | { readonly identity: VerifiedToken | undefined; readonly refusal?: undefined }
  | { readonly refusal: Refusal };

const REALM = /^[ !#-[\]-~]+$/;

/** @throws TypeError for options that can't be meant so */
export function authenticationOf(options: AuthenticationOptions): Authentication {
  const { verifier, optional = false, requirement, realm = 'optix' } = options;
  if (!REALM.test(realm)) throw new TypeError('realm must be printable ASCII without quotes and backslashes');
  if (optional && requirement !== undefined) {
    throw new TypeError('nobody meets a requirement: it can not go with optional');
  }
  return { verifier, optional, requirement: checkedRequirement(requirement ?? {}), realm };
}

/**
 * Reads the header `authorization` and verifies its token.
 *
 * @throws what the verifier throws beside its own errors
 */
export async function authenticateRequest(
  request: Pick<HttpFacts, 'header'>,
  { verifier, optional, requirement }: Authentication,
): Promise<AuthenticationOutcome> {
  const token = bearerToken(request.header('authorization'));
  if (token === undefined)
    return optional ? { identity: undefined } : { refusal: { error: 'token_missing' } };
  if (token === null) return { refusal: { error: 'invalid_request' } };
  try {
    const identity = await verifier.verify(token);
    const refusal = unmet(identity, requirement);
    return refusal === undefined ? { identity } : { refusal };
  } catch (error) {
    return { refusal: refusalFor(error) };
  }
}

function refusalFor(error: unknown): Refusal {
  if (error instanceof TokenInvalid) {
    const isExpired = error.reason === 'expired';
    const description = isExpired ? 'the access token has expired' : 'the access token is not good';
    return { error: 'invalid_token', description };
  }
  if (error instanceof TokenRevoked) {
    return { error: 'invalid_token', description: 'the access token was revoked' };
  }
  if (error instanceof RevocationsUnknown || error instanceof KeysUnknown) {
    return { error: 'temporarily_unavailable' };
  }
  throw error;
}
