import type { AnsweredRequests } from './answered-requests.ts';
import type { Challenges } from './challenges/challenge.ts';
import type { CredentialStore } from './credential-store.ts';
import type { OneTimeTokens } from './one-time-token.ts';
import type { OutgoingMails } from './outgoing-mail.ts';
import type { RefreshTokenFamilies } from './refresh-token-families.ts';
import type { Revocations } from './revocation.ts';
import type { Passkeys } from './second-factors/passkeys.ts';
import type { RecoveryCodes } from './second-factors/recovery-codes.ts';
import type { SecondFactorFlags } from './second-factors/second-factors.ts';
import type { TotpAuthenticators } from './second-factors/totp-authenticators.ts';
import type { SecurityEvents } from './security-event.ts';
import type { Sessions } from './sessions.ts';
import type { SigningKeyStore } from './signing-key-store.ts';
import type { TrustedDevices } from './trusted-devices.ts';
import type { ArchivedUsers } from './users/archived-users.ts';
import type { Users } from './users.ts';

/** What a transaction reads and writes by. */
export interface Repositories {
  readonly users: Users;
  readonly archivedUsers: ArchivedUsers;
  readonly credentials: CredentialStore;
  readonly oneTimeTokens: OneTimeTokens;
  readonly sessions: Sessions;
  readonly refreshTokenFamilies: RefreshTokenFamilies;
  readonly trustedDevices: TrustedDevices;
  readonly challenges: Challenges;
  readonly totpAuthenticators: TotpAuthenticators;
  readonly passkeys: Passkeys;
  readonly recoveryCodes: RecoveryCodes;
  readonly secondFactors: SecondFactorFlags;
  readonly revocations: Revocations;
  readonly signingKeys: SigningKeyStore;
  readonly securityEvents: SecurityEvents;
  readonly outgoingMails: OutgoingMails;
  readonly answeredRequests: AnsweredRequests;
}

/** Writes that belong together. */
export interface UnitOfWork {
  /**
   * Runs `work` in one transaction: all that it writes through `repositories` is there when the promise is fulfilled,
   * and none of it where `work` or the database fails. What it revoked is refused by every replica by then.
   *
   * @throws DatabaseUnavailable, or whatever `work` throws.
   */
  transactional<T>(work: (repositories: Repositories) => Promise<T>): Promise<T>;
}
