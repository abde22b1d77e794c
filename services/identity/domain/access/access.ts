import type { Introspection } from '../introspect.ts';

/** A request to somebody else's service, as a gateway tells of it. */
export interface OriginalRequest {
  /** In upper case. */
  readonly method: string;
  /** As hostName() has it: lower case, without a port; '' where there is none. */
  readonly host: string;
  /** Path without its query, as it was sent; what rules match is its normal form. */
  readonly path: string;
  /** The header `authorization`, several joined by `, `; undefined where there is none. */
  readonly authorization: string | undefined;
}

/** What a route requires. */
export interface AccessRequirement {
  /**
   * `required`: a good token. `optional`: a good token or none; one that is not good is refused. `none`: nothing is looked
   * at. `deny`: nobody may.
   */
  readonly token: 'required' | 'optional' | 'none' | 'deny';
  /** The user must have one role of each of these lists; none: no role is asked for. */
  readonly roles: readonly (readonly string[])[];
  /** The least assurance level: `aal2` asks for a second factor; undefined: any. */
  readonly acr: 'aal1' | 'aal2' | undefined;
  /** How long ago the user may have authenticated, in seconds; undefined: any time. */
  readonly maxAgeSeconds: number | undefined;
}

/** A token that is good, with what holds at this moment. */
export type ActiveToken = Extract<Introspection, { readonly active: true }>;

/** What becomes of a request. */
export type AccessDecision =
  /** It may go on; `token` is undefined for one without. */
  | { readonly outcome: 'ALLOWED'; readonly token: ActiveToken | undefined }
  /** No token, or one that is not good: 401 (RFC 6750 section 3.1). */
  | {
      readonly outcome: 'UNAUTHENTICATED';
      readonly error: 'token_missing' | 'invalid_request' | 'invalid_token';
    }
  /** A good token that is not enough, where authenticating again would do: 401 (RFC 9470). */
  | {
      readonly outcome: 'STEP_UP_REQUIRED';
      readonly acr: 'aal1' | 'aal2' | undefined;
      readonly maxAgeSeconds: number | undefined;
    }
  /**
   * 403: the user lacks a role; or nobody may; or path or host are such that no rule can be held to match them, nor not
   * to.
   */
  | {
      readonly outcome: 'FORBIDDEN';
      readonly reason: 'insufficient_scope' | 'denied' | 'unsafe_path' | 'unsafe_host';
    }
  /** Whether the token is good could not be found out: 503. */
  | { readonly outcome: 'UNAVAILABLE' };

/** Why a request may not go on. */
export type AccessRefusal = Exclude<AccessDecision, { readonly outcome: 'ALLOWED' }>;
