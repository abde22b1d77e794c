import { accepted, type Parsed, rejected } from './parsed.ts';

/** A password that may be chosen: NFC, within the bounds. Made by {@link parseNewPassword} only. */
export type NewPassword = string & { readonly __brand: 'NewPassword' };

/** Upper bound in characters: what a password manager makes fits, and hashing stays cheap to feed. */
export const MAX_PASSWORD_CHARACTERS = 128;
/** In UTF-16 units: what composes to one character takes at most four code points, of two units each. */
const MAX_RAW_LENGTH = 8 * MAX_PASSWORD_CHARACTERS;
const DEFAULT_MIN_CHARACTERS = 8;

/**
 * The one form in which passwords are hashed and compared: NFC, so that the same characters typed on another keyboard
 * give the same bytes (NIST SP 800-63B-4 section 3.1.1.2).
 */
export function normalizePassword(text: string): string {
  return text.normalize('NFC');
}

/**
 * Whether a text is longer than any password can be. Its raw length is looked at first: normalising a long run of
 * combining marks takes time that grows with its square.
 */
export function exceedsPasswordLength(text: string): boolean {
  return (
    text.length > MAX_RAW_LENGTH || passwordCharacters(normalizePassword(text)) > MAX_PASSWORD_CHARACTERS
  );
}

/** Length in Unicode code points, after {@link normalizePassword}. */
function passwordCharacters(normalized: string): number {
  let characters = 0;
  for (const _ of normalized) characters += 1;
  return characters;
}

/**
 * Reads a password that a user chooses: `minCharacters` to 128 code points after NFC, and nothing else. Rules on the
 * kinds of characters are left out on purpose (NIST SP 800-63B-4 section 3.1.1.2: they shall not be imposed).
 */
export function parseNewPassword(text: string, minCharacters = DEFAULT_MIN_CHARACTERS): Parsed<NewPassword> {
  // An unpaired surrogate has no UTF-8 form: all of them would hash alike.
  if (!text.isWellFormed()) return rejected('must be valid Unicode');
  if (exceedsPasswordLength(text)) return rejected(`must have at most ${MAX_PASSWORD_CHARACTERS} characters`);
  const normalized = normalizePassword(text);
  if (passwordCharacters(normalized) < minCharacters) {
    return rejected(`must have at least ${minCharacters} characters`);
  }
  return accepted(normalized as NewPassword);
}
