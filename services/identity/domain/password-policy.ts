import { accepted, type Parsed, rejected } from './parsed.ts';
import type { PasswordBlocklist } from './password-blocklist.ts';
import { type PasswordOwner, restsOnOwner } from './password-blocklist-context.ts';
import { isRepetition, isSequence } from './password-blocklist-patterns.ts';

/** A password in the one form in which it is hashed and compared. Made by {@link normalizePassword} only. */
export type NormalizedPassword = string & { readonly __form: 'NFC' };

/** A password that may be chosen. Made by {@link PasswordPolicy.check}, and of its length alone by {@link parseNewPassword}. */
export type NewPassword = NormalizedPassword & { readonly __brand: 'NewPassword' };

/** Upper bound in characters: what a password manager makes fits, and hashing stays cheap to feed. */
export const MAX_PASSWORD_CHARACTERS = 128;
/** In UTF-16 units: what composes to one character takes at most four code points, of two units each. */
const MAX_RAW_LENGTH = 8 * MAX_PASSWORD_CHARACTERS;
const DEFAULT_MIN_CHARACTERS = 8;

/**
 * The one form in which passwords are hashed and compared: NFC, so that the same characters typed on another keyboard
 * give the same bytes (NIST SP 800-63B-4 section 3.1.1.2).
 */
export function normalizePassword(text: string): NormalizedPassword {
  return text.normalize('NFC') as NormalizedPassword;
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
 * Reads a password that a user chooses, as far as its length goes: `minCharacters` to 128 code points after NFC. Rules
 * on the kinds of characters are left out on purpose (NIST SP 800-63B-4 section 3.1.1.2: they shall not be imposed).
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

/**
 * Which passwords may be chosen (NIST SP 800-63B-4 section 3.1.1.2): long enough, and not what is tried first: on a
 * blocklist, made of what is known about its owner or of the service's name, repeated or sequential characters. The
 * whole password is compared, in any case of letters; what it contains does not matter.
 *
 * For passwords that are set. One that has verified is rehashed without asking.
 */
export class PasswordPolicy {
  readonly #minCharacters: number;
  readonly #blocklists: readonly PasswordBlocklist[];

  /** `minCharacters`: 8 or more; 8 unless set otherwise. */
  constructor(options: {
    readonly minCharacters?: number;
    readonly blocklists: readonly PasswordBlocklist[];
  }) {
    this.#minCharacters = options.minCharacters ?? DEFAULT_MIN_CHARACTERS;
    this.#blocklists = options.blocklists;
  }

  /**
   * Reads a password that a user chooses. The reason of a refusal is one to show to the user, and never repeats the
   * password.
   *
   * @param owner what is known about the user, as it was sent: it need not be valid
   * @throws PasswordBlocklistUnreadable
   */
  async check(text: string, owner: PasswordOwner): Promise<Parsed<NewPassword>> {
    const parsed = parseNewPassword(text, this.#minCharacters);
    if (!parsed.ok) return parsed;
    const password = parsed.value;
    if (isRepetition(password, this.#minCharacters)) {
      return rejected('must not be a few characters that are repeated: attackers try these first');
    }
    if (isSequence(password)) {
      return rejected('must not be a sequence such as 12345678: attackers try these first');
    }
    if (restsOnOwner(password, owner)) {
      return rejected(
        'must not be the e-mail address, the name or the name of this service, with or without digits or signs around it: attackers try these first',
      );
    }
    for (const blocklist of this.#blocklists) {
      if (await blocklist.has(password)) {
        return rejected(
          'must not be on the list of common and breached passwords: attackers try these first',
        );
      }
    }
    return parsed;
  }
}
