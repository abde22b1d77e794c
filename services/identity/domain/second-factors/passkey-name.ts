import { accepted, type Parsed, rejected } from '../parsed.ts';

const MAX_BYTES = 128;
/** Control characters, line and paragraph separators, unassigned surrogates: nothing a name is written with. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Reads the name that a user gives a passkey, at most 128 bytes; null for an empty one. */
export function parsePasskeyName(text: string): Parsed<string | null> {
  if (Buffer.byteLength(text) > MAX_BYTES) return rejected(`must have at most ${MAX_BYTES} bytes`);
  if (FORBIDDEN.test(text)) return rejected('must not contain control characters');
  return accepted(text === '' ? null : text);
}
