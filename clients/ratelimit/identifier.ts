import { createHash } from 'node:crypto';

/** Most bytes of an identifier, as CheckLimitRequest has it. */
const MOST_BYTES = 256;
const HASHED = 'sha256:';
/** Parts of the names of headers that hold what authenticates somebody. */
const CREDENTIAL = /auth|bearer|cookie|credential|hmac|jwt|key|otp|pass|secret|session|signature|token/;

/**
 * `<kind>:<value>`, or `<kind>:sha256:<hex>` of a value that the service would not take, or that looks like such a hash:
 * nobody is to count as somebody else.
 */
export function identifierOf(kind: string, value: string): string {
  // Of UTF-16, as half a surrogate pair has no UTF-8.
  return isPlain(kind, value) ? `${kind}:${value}` : hashed(kind, Buffer.from(value, 'utf16le'));
}

/**
 * `<header>:<value>`, or the SHA-256 of the value's bytes as identifierOf() has it, also where the header's name says that
 * it is a credential: identifiers are kept, and shown to operators.
 *
 * @param header in lower case
 */
export function headerIdentifier(header: string, value: string): string {
  if (isPlain(header, value) && !CREDENTIAL.test(header)) return `${header}:${value}`;
  return hashed(header, Buffer.from(value, 'latin1'));
}

function isPlain(kind: string, value: string): boolean {
  const fits = Buffer.byteLength(`${kind}:${value}`) <= MOST_BYTES;
  return fits && !value.startsWith(HASHED) && !/[\p{Cc}\p{Cs}]/u.test(value);
}

function hashed(kind: string, value: Buffer): string {
  return `${kind}:${HASHED}${createHash('sha256').update(value).digest('hex')}`;
}
