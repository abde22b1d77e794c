/**
 * How a user proved who they are, in the order in which tokens name it: values of the registry of RFC 8176.
 *
 * - `pwd`: a password.
 * - `otp`: a password that is good once: a TOTP code, or a recovery code, for which nothing of its own is registered and
 *   which is a one-time password by the definition of RFC 4949 that the registry goes by. Security events tell the two
 *   apart.
 * - `hwk`, `swk`: a key that stays in its hardware, a key that does not (a passkey that is synchronised).
 * - `user`: the user was there, and touched a device.
 * - `mfa`: more than one factor. A passkey that verified its user by PIN or biometrics is two by itself (a multi-factor
 *   cryptographic authenticator of NIST SP 800-63B-4): who accepts it names `mfa` with it, as no other value here says so.
 */
const AUTHENTICATION_METHODS = ['pwd', 'otp', 'hwk', 'swk', 'user', 'mfa'] as const;
export type AuthenticationMethod = (typeof AUTHENTICATION_METHODS)[number];

/** What a session's authentication was: the claims `amr`, `acr` and `auth_time`, by which a step-up is asked for (RFC 9470). */
export interface AuthenticationContext {
  /** Each method once, in the order of {@link AUTHENTICATION_METHODS}. */
  readonly amr: readonly AuthenticationMethod[];
  /** The assurance level that the methods reach together: NIST SP 800-63B-4 section 2. */
  readonly acr: 'aal1' | 'aal2';
  /** When the user last proved anything. */
  readonly authenticatedAt: Date;
}

/** Something the user has. Look-up secrets count as it too (NIST SP 800-63B-4 section 3.1.2). */
const POSSESSION: readonly AuthenticationMethod[] = ['otp', 'hwk', 'swk'];

/**
 * What these methods are together. Adds `mfa` where the password, which is known, and something possessed are among
 * them; two possessions are one factor.
 */
export function authenticationContext(
  methods: readonly AuthenticationMethod[],
  at: Date,
): AuthenticationContext {
  const used = new Set(methods);
  if (used.has('pwd') && POSSESSION.some((method) => used.has(method))) used.add('mfa');
  const amr = AUTHENTICATION_METHODS.filter((method) => used.has(method));
  return { amr, acr: acrOf(amr), authenticatedAt: at };
}

/** The assurance level of methods: `aal2` takes two factors (NIST SP 800-63B-4 section 2.2). */
export function acrOf(amr: readonly AuthenticationMethod[]): AuthenticationContext['acr'] {
  return amr.includes('mfa') ? 'aal2' : 'aal1';
}

/**
 * What a session's authentication is once its user proved more: by the second factor of a sign-in, or by a step-up.
 *
 * Older methods stay, though the time is that of the new ones: a step-up that is to renew `aal2` has to ask for a
 * second factor, not for the password alone.
 */
export function combine(
  context: AuthenticationContext,
  methods: readonly AuthenticationMethod[],
  at: Date,
): AuthenticationContext {
  return authenticationContext([...context.amr, ...methods], at);
}
