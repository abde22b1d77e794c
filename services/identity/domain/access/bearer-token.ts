/** RFC 6750 section 2.1; RFC 9110 section 11.1: the scheme's case means nothing. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;
/** Bearer somewhere: as the scheme, or in a second header that was joined to the first by a comma. */
const SOME_BEARER = /(?:^|,)[ \t]*bearer(?:[ \t,]|$)/i;

/**
 * The token of a header `authorization`, several joined by commas. Undefined where there is none: no header, or one of
 * another scheme, which is the upstream's to read; null where there is one that can't be read.
 */
export function bearerToken(authorization: string | undefined): string | null | undefined {
  if (authorization === undefined) return undefined;
  const text = authorization.trim();
  const [, token] = BEARER.exec(text) ?? [];
  if (token !== undefined) return token;
  return SOME_BEARER.test(text) || text === '' ? null : undefined;
}
