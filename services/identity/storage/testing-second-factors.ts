import { randomBytes } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { type AuthenticationMethod, authenticationContext } from '../domain/authentication-context.ts';
import { beginTotpEnrollment } from '../domain/second-factors/begin-totp-enrollment.ts';
import { confirmTotpEnrollment } from '../domain/second-factors/confirm-totp-enrollment.ts';
import { afterFactorAdded, afterFactorRemoved } from '../domain/second-factors/factor-change.ts';
import type { SecondFactorDeps } from '../domain/second-factors/second-factor-deps.ts';
import { verifyTotp } from '../domain/second-factors/verify-totp.ts';
import { hotp, totpStep } from '../domain/totp.ts';
import type { User } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { SecondFactorRepository } from './second-factor-repository.ts';
import { freshAccount } from './testing-credentials.ts';
import { DEVICE, type TestIdentity } from './testing-identity.ts';
import type { TestMailbox } from './testing-mailbox.ts';
import type { TestOrm } from './testing-orm.ts';

/** A session of a user, and its access token. */
export interface TestSignIn {
  readonly sessionId: Uuid;
  readonly accessToken: string;
  readonly device: typeof DEVICE;
}

/** An authenticator app of a user, as the app knows it. */
export interface TestApp {
  readonly secret: Buffer;
  /** The code of now, or of a moment so many steps from it. */
  code(steps?: number): string;
}

/** Second factors on a real database, and an account to have them: Ada's, which no event and no mail is about yet. */
export class TestSecondFactors {
  readonly identity: TestIdentity;
  readonly mailbox: TestMailbox;
  readonly ada: User;
  readonly deps: SecondFactorDeps;

  private constructor(db: TestOrm, account: Awaited<ReturnType<typeof freshAccount>>) {
    const { identity, mailbox, ada } = account;
    this.identity = identity;
    this.mailbox = mailbox;
    this.ada = ada;
    this.deps = {
      introspection: identity,
      sessions: identity.sessions,
      credentialReads: identity.credentials,
      stepUpMaxAgeMs: 600_000,
      now: identity.now,
      unitOfWork: identity.unitOfWork,
      limiter: identity.limiter,
      secondFactors: new SecondFactorRepository(db.orm.em),
      totpIssuer: 'OPTIX',
    };
  }

  /** Empties the database. */
  static async open(db: TestOrm): Promise<TestSecondFactors> {
    return new TestSecondFactors(db, await freshAccount(db));
  }

  /** Opens a session whose user has authenticated by these methods just now. */
  async signIn(methods: readonly AuthenticationMethod[] = ['pwd'], user = this.ada): Promise<TestSignIn> {
    const { accessTokens, unitOfWork, now } = this.identity;
    const at = now();
    const sessionId = uuidV7() as Uuid;
    const authentication = authenticationContext(methods, at);
    await unitOfWork.transactional(async ({ sessions }) => {
      await sessions.insert({
        id: sessionId,
        userId: user.id,
        device: DEVICE,
        createdAt: at,
        expiresAt: new Date(at.getTime() + 3_600_000),
        lastActivityAt: at,
        authentication,
        mfaVerified: authentication.acr === 'aal2',
        isTrustedDevice: false,
      });
    });
    await accessTokens.prepare();
    const { token } = await accessTokens.issue({
      userId: user.id,
      sessionId,
      roles: user.roles,
      generation: user.tokenGeneration,
      authentication,
    });
    return { sessionId, accessToken: token, device: DEVICE };
  }

  /** Sets up an authenticator app by both calls. Its code of now is used up with it. */
  async enroll(
    signedIn: TestSignIn,
  ): Promise<{ readonly app: TestApp; readonly recoveryCodes: readonly string[] }> {
    const app = await this.beginEnrollment(signedIn);
    const recoveryCodes = await confirmTotpEnrollment(this.deps, { ...signedIn, code: app.code() });
    return { app, recoveryCodes };
  }

  /** Makes an authenticator app that waits to be confirmed. */
  async beginEnrollment(signedIn: TestSignIn): Promise<TestApp> {
    const { secret } = await beginTotpEnrollment(this.deps, signedIn);
    return this.app(fromBase32(secret));
  }

  app(secret: Buffer): TestApp {
    return { secret, code: (steps = 0) => hotp(secret, totpStep(this.identity.now()) + steps) };
  }

  /** Tries a code in a transaction of its own. */
  verify(code: string, userId = this.ada.id): Promise<boolean> {
    const at = this.identity.now();
    return this.identity.unitOfWork.transactional((repositories) =>
      verifyTotp(repositories, { userId, code, at }),
    );
  }

  /** Adds a passkey as a registration does. @returns the recovery codes that come with it. */
  addPasskey(): Promise<readonly string[]> {
    const { id: userId } = this.ada;
    const at = this.identity.now();
    return this.identity.unitOfWork.transactional(async (repositories) => {
      const hadFactor = (await repositories.users.hold(userId))?.mfaEnabled === true;
      await repositories.passkeys.insert({
        ...{ id: uuidV7() as Uuid, userId, credentialId: randomBytes(32), publicKey: randomBytes(77) },
        ...{ signCount: 0, aaguid: null, transports: ['internal'], name: 'Laptop' },
        ...{ deviceType: 'single_device', backedUp: false, createdAt: at, lastUsedAt: null },
      });
      const change = { userId, sessionId: null, factor: 'passkey', device: DEVICE, at } as const;
      return await afterFactorAdded(repositories, { ...change, hadFactor });
    });
  }

  /** Removes all passkeys as a deletion does. */
  async removePasskeys(): Promise<void> {
    const { id: userId } = this.ada;
    const at = this.identity.now();
    await this.identity.unitOfWork.transactional(async (repositories) => {
      await repositories.users.hold(userId);
      await repositories.passkeys.removeAll(userId);
      const change = { userId, sessionId: null, factor: 'passkey', device: DEVICE, at } as const;
      await afterFactorRemoved(repositories, change);
    });
  }

  /** Trusts a device for a day. */
  async trustDevice(): Promise<void> {
    const at = this.identity.now();
    await this.identity.unitOfWork.transactional(({ trustedDevices }) =>
      trustedDevices.insert({
        ...{ id: uuidV7() as Uuid, userId: this.ada.id, deviceId: 'device-1', fingerprint: 'fp-1' },
        ...{ name: null, ipAddress: null, createdAt: at, expiresAt: new Date(at.getTime() + 86_400_000) },
        trustTokenHash: randomBytes(32),
      }),
    );
  }

  /** Lets the time pass that a code is good for, so that the next ones are new. */
  passSteps(steps = 3): void {
    this.identity.ahead += steps * 30_000;
  }
}

/** Reads base32 (RFC 4648 section 6) without padding. */
export function fromBase32(text: string): Buffer {
  const bits = [...text].map((character) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(character).toString(2).padStart(5, '0'),
  );
  return Buffer.from((bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
