/** What is known about whose password it is. Texts as they were sent: they need not be valid. */
export interface PasswordOwner {
  readonly email?: string;
  readonly firstName?: string;
  readonly lastName?: string;
}

const SERVICE_NAMES = ['optix'];

/** Longer than a name or an address can be; folding costs more the longer a text is. */
const MAX_WORD_LENGTH = 320;
/** Digits and signs around a word that make a derivative of it, as in `Optix-2026!`, and not a password of their own. */
const MAX_ADDED_CHARACTERS = 6;

/**
 * Whether a password is the e-mail address, its local part, a name of the owner's or the service's, or a derivative:
 * in another case, with other separators, or with a few digits and signs before and after it (NIST SP 800-63B-4 section
 * 3.1.1.2: "context-specific words [...] and derivatives thereof").
 */
export function restsOnOwner(password: string, owner: PasswordOwner): boolean {
  const folded = fold(password);
  const core = withoutSurroundings(folded);
  const isDerived = core !== '' && folded.length - core.length <= MAX_ADDED_CHARACTERS;
  return contextWords(owner).some((word) => {
    const whole = withoutSeparators(word);
    if (whole === '') return false;
    if (whole === withoutSeparators(folded)) return true;
    return isDerived && withoutSeparators(withoutSurroundings(word)) === withoutSeparators(core);
  });
}

function contextWords({ email = '', firstName = '', lastName = '' }: PasswordOwner): string[] {
  const localPart = email.slice(0, Math.max(email.lastIndexOf('@'), 0));
  const words = [email, localPart, firstName, lastName, firstName + lastName, lastName + firstName];
  return [...SERVICE_NAMES, ...words.filter(({ length }) => length <= MAX_WORD_LENGTH).map(fold)];
}

/** One form for all ways to write a word: compatibility characters and cases made the same. */
function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

/** From the first letter to the last. */
function withoutSurroundings(folded: string): string {
  return folded.replace(/^[^\p{L}\p{M}]+/u, '').replace(/[^\p{L}\p{M}]+$/u, '');
}

/** Letters and digits alone. */
function withoutSeparators(folded: string): string {
  return folded.replace(/[^\p{L}\p{M}\p{N}]+/gu, '');
}
