import type { Passkey } from '../passkeys/passkey.ts';
import type { Uuid } from '../uuid.ts';

/** The second factor that is asked for first (`users.mfa_type`). */
export type PreferredFactor = 'totp' | 'webauthn';

/** Which second factors a user has. */
export interface SecondFactorSummary {
  /** Since when there is an authenticator app in force; null where there is none. */
  readonly totpSince: Date | null;
  /** Oldest first. */
  readonly passkeys: readonly Passkey[];
  readonly recoveryCodesLeft: number;
  readonly preferred: PreferredFactor | null;
}

/** Reads of second factors outside a transaction. */
export interface SecondFactorReads {
  /** Null where there is no such user who is not deleted. @throws DatabaseUnavailable */
  find(userId: Uuid): Promise<SecondFactorSummary | null>;
}

/** What the account says of its factors. */
export interface SecondFactorFlags {
  /**
   * Sets `mfa_enabled` and `mfa_type` of the account by the factors that there are, in one statement. The preferred factor
   * stays while there is one of its kind, and is the other kind then. Counts as a change of the account.
   * The caller holds the user's row.
   *
   * @returns whether there is a second factor now.
   * @throws DatabaseUnavailable
   */
  refreshFlags(userId: Uuid, at: Date): Promise<boolean>;
}
