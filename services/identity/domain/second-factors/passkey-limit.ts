import type { Passkey } from '../passkeys/passkey.ts';
import { TooManyPasskeys } from './errors.ts';

/** Passkeys of an account. Each is named to the browser at every sign-in with a second factor. */
export const MAX_PASSKEYS = 20;

/** Whether there is room for another passkey. @throws TooManyPasskeys */
export function requireRoom(passkeys: readonly Passkey[]): void {
  if (passkeys.length >= MAX_PASSKEYS) throw new TooManyPasskeys(MAX_PASSKEYS);
}
