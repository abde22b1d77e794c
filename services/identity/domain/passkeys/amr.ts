import type { DeviceType } from './passkey.ts';

/** How a sign-in was made, as values of the `amr` claim (RFC 8176 section 2). */
export type PasskeyAmr = 'hwk' | 'swk' | 'user' | 'mfa';

/**
 * The `amr` values of a sign-in by a passkey. A key that never leaves its device counts as hardware (`hwk`), one that
 * is synchronised as software (`swk`). The user was present in any case; with a PIN or a biometric check the passkey is
 * two factors by itself.
 */
export function amrOf(signIn: {
  readonly deviceType: DeviceType;
  readonly userVerified: boolean;
}): PasskeyAmr[] {
  const key = signIn.deviceType === 'single_device' ? 'hwk' : 'swk';
  return signIn.userVerified ? [key, 'user', 'mfa'] : [key, 'user'];
}
