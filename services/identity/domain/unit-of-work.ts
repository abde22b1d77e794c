import type { AnsweredRequests } from './answered-requests.ts';
import type { CredentialStore } from './credential-store.ts';
import type { OneTimeTokens } from './one-time-token.ts';
import type { OutgoingMails } from './outgoing-mail.ts';
import type { RefreshTokenFamilies } from './refresh-token-families.ts';
import type { Revocations } from './revocation.ts';
import type { SecurityEvents } from './security-event.ts';
import type { Sessions } from './sessions.ts';
import type { SigningKeyStore } from './signing-key-store.ts';
import type { TrustedDevices } from './trusted-devices.ts';
import type { Users } from './users.ts';

/** What a transaction reads and writes by. */
export interface Repositories {
  readonly users: Users;
  readonly credentials: CredentialStore;
  readonly oneTimeTokens: OneTimeTokens;
  readonly sessions: Sessions;
  readonly refreshTokenFamilies: RefreshTokenFamilies;
  readonly trustedDevices: TrustedDevices;
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
