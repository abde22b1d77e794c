import { accepted, type Parsed, rejected } from './parsed.ts';

/** A given or family name, possibly empty. Made by {@link parsePersonName} only. */
export type PersonName = string & { readonly __brand: 'PersonName' };

const MAX_CHARACTERS = 100;
/** Control characters, line and paragraph separators, unassigned surrogates: nothing a name is written with. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Reads a name of at most 100 characters; white space around it is dropped. An empty name is a name. */
export function parsePersonName(text: string): Parsed<PersonName> {
  if (FORBIDDEN.test(text)) return rejected('must not contain control characters');
  const name = text.normalize('NFC').trim();
  if ([...name].length > MAX_CHARACTERS) return rejected(`must have at most ${MAX_CHARACTERS} characters`);
  return accepted(name as PersonName);
}
