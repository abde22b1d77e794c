import { accepted, type Parsed, rejected } from './parsed.ts';

/** A given or family name, possibly empty. Made by {@link parsePersonName} only. */
export type PersonName = string & { readonly __brand: 'PersonName' };

const MAX_CHARACTERS = 100;
/** In UTF-16 units: what composes to one character takes at most four code points, of two units each. */
const MAX_RAW_LENGTH = 8 * MAX_CHARACTERS;
/** Control characters, line and paragraph separators, unassigned surrogates: nothing a name is written with. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Reads a name of at most 100 characters; white space around it is dropped. An empty name is a name. */
export function parsePersonName(text: string): Parsed<PersonName> {
  // Before anything else: normalising a long run of combining marks takes time that grows with its square.
  if (text.length > MAX_RAW_LENGTH) return rejected(`must have at most ${MAX_CHARACTERS} characters`);
  if (FORBIDDEN.test(text)) return rejected('must not contain control characters');
  const name = text.normalize('NFC').trim();
  if ([...name].length > MAX_CHARACTERS) return rejected(`must have at most ${MAX_CHARACTERS} characters`);
  return accepted(name as PersonName);
}
