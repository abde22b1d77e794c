import type { EntityManager } from '@mikro-orm/postgresql';
import type { NewRevocation } from '../domain/revocation.ts';
import type { SecretBox } from '../domain/secret-box.ts';
import type { Repositories, UnitOfWork } from '../domain/unit-of-work.ts';
import { AnsweredRequestRepository } from './answered-request-repository.ts';
import { ChallengeRepository } from './challenge-repository.ts';
import { CredentialRepository } from './credential-repository.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { OneTimeTokenRepository } from './one-time-token-repository.ts';
import { OutgoingMailRepository } from './outgoing-mail-repository.ts';
import { PasskeyRepository } from './passkey-repository.ts';
import { RecoveryCodeRepository } from './recovery-code-repository.ts';
import { RefreshTokenFamilyRepository } from './refresh-token-family-repository.ts';
import { RevocationRepository } from './revocation-repository.ts';
import { SecondFactorRepository } from './second-factor-repository.ts';
import { SecurityEventRepository } from './security-event-repository.ts';
import { SessionRepository } from './session-repository.ts';
import { SigningKeyRepository } from './signing-key-repository.ts';
import { TotpAuthenticatorRepository } from './totp-authenticator-repository.ts';
import { TrustedDeviceRepository } from './trusted-device-repository.ts';
import { UserRepository } from './user-repository.ts';
import { ArchivedUserRepository } from './users/user-archive.ts';

export interface OrmUnitOfWorkOptions {
  readonly em: EntityManager;
  /** Seals mails until they are sent. */
  readonly secretBox: SecretBox;
  /** Whether mails are sent at all. */
  readonly mailEnabled: boolean;
  /** How long revocations are kept, in milliseconds: longer than any access token lasts. */
  readonly revocationLifetimeMs: number;
  /** Makes every replica refuse what was revoked. Runs after the commit; nothing is acknowledged before it is fulfilled. */
  readonly onRevoked: (revocations: readonly NewRevocation[]) => Promise<void>;
  /** Told after a commit that added mails. */
  readonly onMail?: () => void;
  /** Told after a commit that added security events. */
  readonly onEvents?: () => void;
}

/** Transactions of PostgreSQL at its default level, READ COMMITTED. */
export class OrmUnitOfWork implements UnitOfWork {
  readonly #options: OrmUnitOfWorkOptions;

  constructor(options: OrmUnitOfWorkOptions) {
    this.#options = options;
  }

  async transactional<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    const revoked: NewRevocation[] = [];
    let hasMail = false;
    let hasEvents = false;
    const onMailAdded = () => {
      hasMail = true;
    };
    const onEventAdded = () => {
      hasEvents = true;
    };
    const result = await withDatabaseErrors(() =>
      // A fork: entities of one call are never seen by another.
      this.#options.em
        .fork()
        .transactional((em) => work(this.#repositories(em, revoked, onMailAdded, onEventAdded))),
    );
    if (hasMail) this.#options.onMail?.();
    if (hasEvents) this.#options.onEvents?.();
    if (revoked.length > 0) await this.#options.onRevoked(revoked);
    return result;
  }

  #repositories(
    em: EntityManager,
    revoked: NewRevocation[],
    onMailAdded: () => void,
    onEventAdded: () => void,
  ): Repositories {
    const { secretBox, mailEnabled, revocationLifetimeMs } = this.#options;
    return {
      users: new UserRepository(em),
      archivedUsers: new ArchivedUserRepository(em),
      credentials: new CredentialRepository(em),
      oneTimeTokens: new OneTimeTokenRepository(em),
      sessions: new SessionRepository(em),
      refreshTokenFamilies: new RefreshTokenFamilyRepository(em),
      trustedDevices: new TrustedDeviceRepository(em),
      challenges: new ChallengeRepository(em),
      totpAuthenticators: new TotpAuthenticatorRepository(em, secretBox),
      passkeys: new PasskeyRepository(em),
      recoveryCodes: new RecoveryCodeRepository(em),
      secondFactors: new SecondFactorRepository(em),
      revocations: new RevocationRepository(em, revocationLifetimeMs, revoked),
      signingKeys: new SigningKeyRepository(em),
      securityEvents: new SecurityEventRepository(em, onEventAdded),
      outgoingMails: new OutgoingMailRepository(em, secretBox, mailEnabled, onMailAdded),
      answeredRequests: new AnsweredRequestRepository(em, revoked),
    };
  }
}
