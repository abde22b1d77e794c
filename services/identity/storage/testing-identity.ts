import { randomBytes } from 'node:crypto';
import { AccessTokens } from '../domain/access-token.ts';
import { type AuthenticateDeps, authenticate, type SignedIn } from '../domain/authenticate.ts';
import type { Device } from '../domain/device.ts';
import { type EmailAddress, parseEmail } from '../domain/email.ts';
import type { IntrospectDeps } from '../domain/introspect.ts';
import type { IpAddress } from '../domain/ip-address.ts';
import type { LimitDecision, Limiter } from '../domain/limiter.ts';
import type { Parsed } from '../domain/parsed.ts';
import { PasswordHasher } from '../domain/password-hasher.ts';
import { parseNewPassword } from '../domain/password-policy.ts';
import { parsePersonName } from '../domain/person-name.ts';
import { parsePhone } from '../domain/phone.ts';
import { type RegisterDeps, register } from '../domain/register.ts';
import { SecretBox } from '../domain/secret-box.ts';
import { SigningKeys } from '../domain/signing-keys.ts';
import type { User } from '../domain/user.ts';
import { OrmUnitOfWork } from './orm-unit-of-work.ts';
import { SessionRepository } from './session-repository.ts';
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
export class TestIdentity implements RegisterDeps, AuthenticateDeps, IntrospectDeps {
  readonly limiter = new RecordingLimiter();
  readonly sessionLifetimeMs = 30 * 24 * 3_600_000;
  readonly secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });
  hasher = new PasswordHasher({ memoryKiB: 64, passes: 1, parallelism: 1 });
  /** How far the clock is ahead of the system's, in milliseconds. */
  ahead = 0;
  readonly now = () => new Date(Date.now() + this.ahead);
  readonly users: UserRepository;
  readonly sessions: SessionRepository;
  unitOfWork: OrmUnitOfWork;
  readonly signingKeys: SigningKeys;
  readonly accessTokens: AccessTokens;

  constructor(db: Pick<TestOrm, 'orm'>) {
    const { em } = db.orm;
    this.users = new UserRepository(em);
    this.sessions = new SessionRepository(em);
    this.unitOfWork = new OrmUnitOfWork(em);
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
  }

  register(address: string, signal?: AbortSignal): Promise<User> {
    const registration = {
      email: email(address),
      password: read(parseNewPassword(PASSWORD)),
      firstName: read(parsePersonName('Ada')),
      lastName: read(parsePersonName('Lovelace')),
      phone: read(parsePhone('+4915112345678')),
      device: DEVICE,
    };
    return register(this, registration, signal);
  }

  signIn(address: string, password = PASSWORD, signal?: AbortSignal): Promise<SignedIn> {
    return authenticate(this, { email: email(address), password, device: DEVICE }, signal);
  }
}
