/** RFC 6750 section 2.1. The scheme is written in any case (RFC 9110 section 11.1). */
const BEARER = /^bearer +([\w.~+/-]+=*)$/i;
/** Begins as one, or has one behind another header that it was joined to. */
const BEARER_SOMEWHERE = /(?:^|,)\s*bearer(?:[\s,]|$)/i;

/**
 * The token of the header `authorization`. Undefined where there is none: no header, or the credentials of another scheme.
 * Null where it is not one token: two headers, say, which come joined by a comma.
 */
export function bearerToken(authorization: string | undefined): string | null | undefined {
  if (authorization === undefined) return undefined;
  const credentials = authorization.trim();
  const token = BEARER.exec(credentials)?.[1];
  if (token !== undefined) return token;
  return credentials === '' || BEARER_SOMEWHERE.test(credentials) ? null : undefined;
}
