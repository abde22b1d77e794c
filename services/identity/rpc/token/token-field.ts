import type { Fields } from '../fields.ts';

/** The longest token that is looked at. */
const MAX_TOKEN_BYTES = 8192;

/** Reads a token that must be there; whether it is one at all is looked at later. */
export function takeToken(fields: Fields, field: string, token: string): string {
  if (token === '') fields.add(field, 'must not be empty');
  // A character of UTF-16 is one byte of UTF-8 at least.
  else if (token.length > MAX_TOKEN_BYTES || Buffer.byteLength(token) > MAX_TOKEN_BYTES) {
    fields.add(field, `must have at most ${MAX_TOKEN_BYTES} bytes`);
  }
  return token;
}
