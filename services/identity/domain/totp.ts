import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** RFC 6238 section 5.2 recommends 30 seconds. */
export const TOTP_STEP_SECONDS = 30;
export const TOTP_DIGITS = 6;
/**
 * The one algorithm that all authenticator apps support: some ignore what an enrolment says and compute SHA-1. What is
 * weak in SHA-1 is its resistance to collisions, which HMAC does not rest on (RFC 6194).
 */
export const TOTP_ALGORITHM = 'sha1';
export type TotpAlgorithm = 'sha1' | 'sha256' | 'sha512';

/** As long as the hash, which RFC 4226 section 4 (R6) recommends. */
const SECRET_BYTES = 20;
/** Six ASCII digits, with a space between two of them where a person typed one: apps show `123 456`. */
const FORM = /^[0-9](?: ?[0-9]){5}$/;

/** Makes the secret that an authenticator app and the service share: 20 random bytes. */
export function createTotpSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/**
 * The one-time password of a counter, by RFC 4226 section 5.3.
 *
 * @param counter Whole, from 0.
 * @param digits 6 to 8.
 * @throws RangeError where the counter is negative or not whole.
 */
export function hotp(
  secret: Uint8Array,
  counter: bigint | number,
  digits: number = TOTP_DIGITS,
  algorithm: TotpAlgorithm = TOTP_ALGORITHM,
): string {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac(algorithm, secret).update(message).digest();
  const offset = mac.readUInt8(mac.length - 1) & 0xf;
  const truncated = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(truncated % 10 ** digits).padStart(digits, '0');
}

/** The time step of a moment: whole steps since 1970 (RFC 6238 section 4.2). */
export function totpStep(at: Date): number {
  return Math.floor(at.getTime() / 1000 / TOTP_STEP_SECONDS);
}

/** A code to look for. */
export interface TotpGuess {
  readonly secret: Uint8Array;
  /** As it was typed. */
  readonly code: string;
  readonly at: Date;
  /** How many steps a code may be early or late, for clocks that drift. Default: 1, as in RFC 6238 section 5.2. */
  readonly window?: number;
  /** The last step that was used: none up to it is good again (RFC 6238 section 5.2). Null: none was used. */
  readonly after: bigint | number | null;
}

/**
 * The time step that a code is of, null where it is of none that is good. The caller stores the step by an UPDATE that
 * asks once more whether it is later than the last one used: of two calls with one code, both find it here.
 *
 * Takes the same time for each code of six digits, so that it tells nothing of how near a guess is.
 */
export function findStep({ secret, code, at, window = 1, after }: TotpGuess): number | null {
  if (!FORM.test(code)) return null;
  const guess = Buffer.from(code.replaceAll(' ', ''));
  const now = totpStep(at);
  let found: number | null = null;
  // Every step is computed and compared. Where two have the same code the later counts, or it would be good twice.
  for (let step = Math.max(now - window, 0); step <= now + window; step += 1) {
    const isEqual = timingSafeEqual(Buffer.from(hotp(secret, step)), guess);
    if (isEqual && (after === null || step > after)) found = step;
  }
  return found;
}
