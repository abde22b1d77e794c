import { randomBytes } from 'node:crypto';
import { AccessTokens } from '../domain/access-token.ts';
import { type AuthenticateDeps, authenticate } from '../domain/authenticate.ts';
import { lockoutPolicies } from '../domain/credentials/lockout-policy.ts';
import { AccountTags } from '../domain/detection/account-tags.ts';
import { Detector } from '../domain/detection/detector.ts';
import { testPolicy } from '../domain/detection/testing-policy.ts';
import type { Device } from '../domain/device.ts';
import { TrustedDevicePolicy } from '../domain/devices/trusted-device-policy.ts';
import { type EmailAddress, parseEmail } from '../domain/email.ts';
import type { RequestKey } from '../domain/idempotency.ts';
import type { IntrospectDeps } from '../domain/introspect.ts';
import { VerifiedTokens } from '../domain/introspect-tokens.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import type { LimitDecision, Limiter } from '../domain/limiter.ts';
import type { SignedIn } from '../domain/open-session.ts';
import type { Parsed } from '../domain/parsed.ts';
import type { RelyingParty } from '../domain/passkeys/relying-party.ts';
import { PasswordHasher } from '../domain/password-hasher.ts';
import { PasswordPolicy, parseNewPassword } from '../domain/password-policy.ts';
import { parsePersonName } from '../domain/person-name.ts';
import { parsePhone } from '../domain/phone.ts';
import { type RegisterDeps, register } from '../domain/register.ts';
import { COMMITTED_IS_ENFORCED, type NewRevocation } from '../domain/revocation.ts';
import type { RevokeDeps } from '../domain/revoke-session.ts';
import { SecretBox } from '../domain/secret-box.ts';
import { SessionPolicy } from '../domain/session-policy.ts';
import { SigningKeys } from '../domain/signing-keys.ts';
import type { User } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { ActiveSessions } from './active-sessions.ts';
import { CredentialRepository } from './credential-repository.ts';
import { OneTimeTokenRepository } from './one-time-token-repository.ts';
import { OrmUnitOfWork } from './orm-unit-of-work.ts';
import { SecondFactorRepository } from './second-factor-repository.ts';
import { SessionRepository } from './session-repository.ts';
import { SessionStates } from './session-states.ts';
import { StoredSignInHistory } from './sign-in-history.ts';
import { SignInThrottleRepository } from './sign-in-throttle-repository.ts';
import { SigningKeyRepository } from './signing-key-repository.ts';
import type { TestOrm } from './testing-orm.ts';
import { UserRepository } from './user-repository.ts';

export const PASSWORD = 'correct horse battery';

export const DEVICE: Device = {
  id: 'device-1',
  fingerprint: 'fp-1',
  name: "Ada's laptop",
  ipAddress: '2001:db8::7' as IpAddress,
  userAgent: 'tests/1.0',
};

/** What a text is read to, where the test knows that it is good. */
export function read<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

export const email = (text: string): EmailAddress => read(parseEmail(text));

/** A limiter that lets everything pass but what it is told to deny, and remembers what it was asked. */
export class RecordingLimiter implements Limiter {
  readonly asked: [endpoint: string, identifier: string][] = [];
  deny: (identifier: string) => number | null = () => null;

  async check(endpoint: string, identifier: string): Promise<LimitDecision> {
    this.asked.push([endpoint, identifier]);
    const retryAfterMs = this.deny(identifier);
    return { allowed: retryAfterMs === null, retryAfterMs: retryAfterMs ?? 0 };
  }
}

/** The use cases on a real database, at a cost of hashing that tests can pay. */
export class TestIdentity implements RegisterDeps, AuthenticateDeps, IntrospectDeps, RevokeDeps {
  readonly limiter = new RecordingLimiter();
  readonly sessionLifetimeMs = 30 * 24 * 3_600_000;
  readonly lockout = lockoutPolicies({
    accountThreshold: 5,
    networkThreshold: 100,
    baseSeconds: 60,
    maxSeconds: 3600,
  });
  readonly detectionPolicy = testPolicy();
  readonly accountTags = new AccountTags(new Uint8Array(32));
  readonly detection: Detector;
  readonly sessionPolicy = new SessionPolicy();
  readonly mail = {
    enabled: true,
    lifetimeMs: { email_verification: 24 * 3_600_000, password_reset: 1_800_000 },
  };
  readonly passwordPolicy = new PasswordPolicy({ blocklists: [] });
  readonly secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });
  readonly trustedDevicePolicy = new TrustedDevicePolicy({
    lifetimeMs: 30 * 24 * 3_600_000,
    roles: ['premium', 'user', 'trial'],
  });
  readonly challengeLifetimeMs = 300_000;
  relyingParty: RelyingParty | null = null;
  hasher = new PasswordHasher({ memoryKiB: 64, passes: 1, parallelism: 1 });
  /** How far the clock is ahead of the system's, in milliseconds. */
  ahead = 0;
  readonly now = () => new Date(Date.now() + this.ahead);
  readonly users: UserRepository;
  readonly credentials: CredentialRepository;
  readonly networkLocks: SignInThrottleRepository;
  readonly oneTimeTokens: OneTimeTokenRepository;
  readonly sessions: SessionRepository;
  readonly secondFactors: SecondFactorRepository;
  unitOfWork: OrmUnitOfWork;
  /** What was revoked, as other replicas were told. */
  readonly revoked: NewRevocation[] = [];
  readonly signingKeys: SigningKeys;
  readonly accessTokens: AccessTokens;
  readonly verifiedTokens: VerifiedTokens;
  readonly states: SessionStates;
  readonly liveStates: ActiveSessions;
  /** When sessions were used, in milliseconds since 1970. */
  readonly used = new Map<Uuid, number>();
  readonly sessionActivity = { touch: (id: Uuid, at: number) => void this.used.set(id, at) };
  readonly barrier = COMMITTED_IS_ENFORCED;

  constructor(db: Pick<TestOrm, 'orm'>) {
    const { em } = db.orm;
    this.users = new UserRepository(em);
    this.detection = new Detector({
      policy: this.detectionPolicy,
      places: { find: () => null },
      history: new StoredSignInHistory(em),
    });
    this.credentials = new CredentialRepository(em);
    this.networkLocks = new SignInThrottleRepository(em);
    this.oneTimeTokens = new OneTimeTokenRepository(em);
    this.sessions = new SessionRepository(em);
    this.secondFactors = new SecondFactorRepository(em);
    this.unitOfWork = new OrmUnitOfWork({
      em,
      secretBox: this.secretBox,
      mailEnabled: true,
      revocationLifetimeMs: 3_600_000,
      onRevoked: async (revocations) => {
        this.revoked.push(...revocations);
      },
    });
    this.signingKeys = new SigningKeys({
      store: new SigningKeyRepository(em),
      secretBox: this.secretBox,
      onUnreadable: (_kid, error) => {
        throw error;
      },
    });
    this.accessTokens = new AccessTokens({
      keys: this.signingKeys,
      issuer: 'https://identity.example',
      audience: 'optix',
      now: this.now,
    });
    this.verifiedTokens = new VerifiedTokens({ verify: (token) => this.accessTokens.verify(token) });
    this.states = new SessionStates(em);
    this.liveStates = new ActiveSessions({
      store: this.states,
      cache: null,
      verifiedTokens: this.verifiedTokens,
      sessionPolicy: this.sessionPolicy,
      now: this.now,
    });
  }

  register(address: string, signal?: AbortSignal, requestKey: RequestKey | null = null): Promise<User> {
    const registration = {
      email: email(address),
      password: read(parseNewPassword(PASSWORD)),
      firstName: read(parsePersonName('Ada')),
      lastName: read(parsePersonName('Lovelace')),
      phone: read(parsePhone('+4915112345678')),
      device: DEVICE,
      requestKey,
    };
    return register(this, registration, signal);
  }

  /** Of an account of which nothing but the password is due. */
  async signIn(address: string, password = PASSWORD, signal?: AbortSignal): Promise<SignedIn> {
    const answer = await authenticate(this, { email: email(address), password, device: DEVICE }, signal);
    if ('challenge' in answer) throw new Error('a second factor is due');
    return answer;
  }
}
