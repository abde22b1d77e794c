import { base32 } from './base32.ts';
import { TOTP_ALGORITHM, TOTP_DIGITS, TOTP_STEP_SECONDS } from './totp.ts';

/** What an authenticator app is told. */
export interface TotpAccount {
  /** Who asks for the codes, as the app shows it. */
  readonly issuer: string;
  /** Whose codes they are, as the app shows it: an e-mail address. */
  readonly account: string;
  readonly secret: Uint8Array;
}

/**
 * What an authenticator app reads from a QR code, by the Key Uri Format of Google Authenticator. It holds the secret:
 * nothing logs or stores it.
 *
 * @throws RangeError where issuer or account has a colon, which ends the issuer in the label, or the issuer is empty.
 */
export function otpauthUri({ issuer, account, secret }: TotpAccount): string {
  if (issuer === '' || issuer.includes(':') || account.includes(':')) {
    throw new RangeError('an issuer must not be empty, and neither it nor an account may have a colon');
  }
  // Apps show the `+` that URLSearchParams writes for a space as it is.
  const name = encodeURIComponent(issuer);
  const parameters = [
    `secret=${base32(secret)}`,
    `issuer=${name}`,
    `algorithm=${TOTP_ALGORITHM.toUpperCase()}`,
    `digits=${TOTP_DIGITS}`,
    `period=${TOTP_STEP_SECONDS}`,
  ];
  return `otpauth://totp/${name}:${encodeURIComponent(account)}?${parameters.join('&')}`;
}
