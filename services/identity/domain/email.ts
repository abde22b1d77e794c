import { accepted, type Parsed, rejected } from './parsed.ts';

/** An e-mail address that can be written to a header and looked up. Made by {@link parseEmail} only. */
export interface EmailAddress {
  /** As the user wrote it. */
  readonly written: string;
  /** NFC, lower case: what makes two addresses the same. */
  readonly normalized: string;
}

/** RFC 5321 section 4.5.3.1.3 as corrected by erratum 1690: a path of 256 octets less its angle brackets. */
const MAX_BYTES = 254;
/** RFC 5321 section 4.5.3.1.1. */
const MAX_LOCAL_BYTES = 64;

/** Dot-atom of RFC 5322 section 3.2.3, with letters, digits and marks of any script (RFC 6531). No quoted strings. */
const LOCAL_PART = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+)*$/u;
/** Two or more LDH labels of at most 63 octets (RFC 1123 section 2.1), the last not all digits. */
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/**
 * Reads an e-mail address. White space, control characters (header injection), display names, quoted local parts,
 * address literals and internationalised domains outside their ASCII form are refused.
 */
export function parseEmail(text: string): Parsed<EmailAddress> {
  if (text.length === 0) return rejected('must not be empty');
  // Bounded before the expressions run: their cost grows with the text.
  if (Buffer.byteLength(text) > MAX_BYTES) return rejected(`must be at most ${MAX_BYTES} bytes`);
  const composed = text.normalize('NFC');
  const at = composed.lastIndexOf('@');
  const local = composed.slice(0, Math.max(at, 0));
  const domain = composed.slice(at + 1);
  if (at < 1 || !LOCAL_PART.test(local) || !DOMAIN.test(domain)) {
    return rejected('must be an e-mail address, for example name@example.com');
  }
  if (Buffer.byteLength(local) > MAX_LOCAL_BYTES) {
    return rejected(`must have at most ${MAX_LOCAL_BYTES} bytes before the @`);
  }
  return accepted({ written: composed, normalized: normalizeEmail(composed) });
}

/** What makes two addresses the same: NFC, lower case. */
export function normalizeEmail(written: string): string {
  return written.toLowerCase().normalize('NFC');
}
