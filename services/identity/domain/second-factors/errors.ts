import type { Refusal } from '../credentials/record-refusal.ts';

/** A code, passkey or password that does not complete a challenge or an enrolment. */
export class SecondFactorRefused extends Error {
  /** Proofs that may still be tried; null where they are not counted by a challenge. */
  readonly attemptsLeft: number | null;
  /** Private: what prints or compares errors must not see it. */
  readonly #refusal: Refusal | null;

  constructor(attemptsLeft: number | null = null, refusal: Refusal | null = null) {
    super('the proof is wrong');
    this.name = 'SecondFactorRefused';
    this.attemptsLeft = attemptsLeft;
    this.#refusal = refusal;
  }

  /** What it is counted as: never for the caller. Null where nobody has said. */
  get refusal(): Refusal | null {
    return this.#refusal;
  }
}

/** No secret waits to be confirmed: none was made, or its time is over. */
export class TotpNotEnrolling extends Error {
  constructor() {
    super('no authenticator app waits to be confirmed');
    this.name = 'TotpNotEnrolling';
  }
}

/** The user has no such second factor. */
export class SecondFactorNotFound extends Error {
  constructor() {
    super('the user has no such second factor');
    this.name = 'SecondFactorNotFound';
  }
}

/** The account has no second factor, so recovery codes would recover nothing. */
export class SecondFactorNotEnabled extends Error {
  constructor() {
    super('the account has no second factor');
    this.name = 'SecondFactorNotEnabled';
  }
}

/** No relying party is set up. */
export class PasskeysNotConfigured extends Error {
  constructor() {
    super('passkeys can not be used: WEBAUTHN_RP_ID and WEBAUTHN_ORIGINS are not set');
    this.name = 'PasskeysNotConfigured';
  }
}

/** The account has as many passkeys as may be. */
export class TooManyPasskeys extends Error {
  constructor(most: number) {
    super(`the account has ${most} passkeys, which are as many as may be`);
    this.name = 'TooManyPasskeys';
  }
}

/** Somebody has this credential already. */
export class PasskeyAlreadyRegistered extends Error {
  constructor() {
    super('the passkey is already registered');
    this.name = 'PasskeyAlreadyRegistered';
  }
}
