/** Why a request does not pass. The names are those of the challenges (RFC 6750 section 3.1, RFC 9470 section 3), but for two. */
export type Refusal =
  /** No credentials, or those of another scheme than Bearer. A challenge names no error for it. */
  | { readonly error: 'token_missing' }
  /** A header that does not hold one token. */
  | { readonly error: 'invalid_request' }
  /** The token is not good any more, or never was. */
  | { readonly error: 'invalid_token'; readonly description: string }
  /** The token is good, and its user has to authenticate again for this: by a second factor, or just to renew the time. */
  | {
      readonly error: 'insufficient_user_authentication';
      readonly acr: 'aal1' | 'aal2' | undefined;
      /** In seconds. */
      readonly maxAgeSeconds: number | undefined;
    }
  /** The token is good, and its user has none of the roles. */
  | { readonly error: 'insufficient_scope' }
  /** Whether the token is good can't be told at this moment. It has no challenge: no other token would help. */
  | { readonly error: 'temporarily_unavailable' };

/** In seconds: by then identity is mostly heard again. */
export const RETRY_AFTER_SECONDS = 1;

/** What to do about it, for people. Nothing of the token. */
export function descriptionOf(refusal: Refusal): string {
  switch (refusal.error) {
    case 'token_missing':
      return 'an access token is needed: authorization: Bearer <token>';
    case 'invalid_request':
      return 'the authorization header must be Bearer and one access token';
    case 'invalid_token':
      return refusal.description;
    case 'insufficient_user_authentication':
      return 'the user has to authenticate again for this';
    case 'insufficient_scope':
      return 'the user has none of the roles that this needs';
    case 'temporarily_unavailable':
      return 'access tokens can not be verified at this moment';
  }
}

/** The value of `www-authenticate`; undefined where authenticating would not help. */
export function challengeOf(refusal: Refusal, realm: string): string | undefined {
  const { error } = refusal;
  if (error === 'temporarily_unavailable') return undefined;
  const parameters: [name: string, value: string | undefined][] = [['realm', realm]];
  if (error !== 'token_missing') {
    parameters.push(['error', error], ['error_description', descriptionOf(refusal)]);
  }
  if (error === 'insufficient_user_authentication') {
    parameters.push(['acr_values', refusal.acr], ['max_age', refusal.maxAgeSeconds?.toString()]);
  }
  const given = parameters.filter(([, value]) => value !== undefined);
  return `Bearer ${given.map(([name, value]) => `${name}="${value}"`).join(', ')}`;
}

/** Headers of the refusal, on HTTP and as metadata of gRPC. */
export function refusalHeaders(refusal: Refusal, realm: string): Readonly<Record<string, string>> {
  const challenge = challengeOf(refusal, realm);
  return challenge === undefined
    ? { 'retry-after': String(RETRY_AFTER_SECONDS) }
    : { 'www-authenticate': challenge };
}
