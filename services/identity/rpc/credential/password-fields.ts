import { exceedsPasswordLength, MAX_PASSWORD_CHARACTERS } from '../../domain/password-policy.ts';
import type { Fields } from '../fields.ts';

/** A password to be checked, as typed. Empty ones are wrong, and are answered like wrong ones. */
export function takeTypedPassword(fields: Fields, field: string, text: string): string {
  if (exceedsPasswordLength(text)) {
    fields.add(field, `must have at most ${MAX_PASSWORD_CHARACTERS} characters`);
  }
  return text;
}

/** A text that must be there; what it has to be else is decided later. */
export function takeRequired(fields: Fields, field: string, text: string): string {
  if (text === '') fields.add(field, 'must not be empty');
  return text;
}
