import { newWebauthnChallenge } from '../domain/challenges/challenge.ts';
import type { Passkey } from '../domain/passkeys/passkey.ts';
import type { RelyingParty } from '../domain/passkeys/relying-party.ts';
import { type Saying, TestAuthenticator } from '../domain/passkeys/testing-authenticator.ts';
import { beginPasskeyRegistration } from '../domain/second-factors/begin-passkey-registration.ts';
import { finishPasskeyRegistration } from '../domain/second-factors/finish-passkey-registration.ts';
import type { PasskeyDeps } from '../domain/second-factors/passkey-deps.ts';
import { type PasskeyProof, verifyPasskey } from '../domain/second-factors/verify-passkey.ts';
import type { Uuid } from '../domain/uuid.ts';
import { DEVICE } from './testing-identity.ts';
import type { TestOrm } from './testing-orm.ts';
import { TestSecondFactors, type TestSignIn } from './testing-second-factors.ts';

export const RELYING_PARTY: RelyingParty = {
  id: 'example.com',
  name: 'Example',
  origins: ['https://app.example.com'],
};

/** A registration that was begun, with what its authenticator is to sign. */
export interface BegunRegistration {
  readonly token: string;
  readonly challenge: Buffer;
  readonly expiresAt: Date;
  /** What the browser is told. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Passkeys on a real database, and Ada's account to have them, which no event and no mail is about yet. */
export class TestPasskeys {
  readonly factors: TestSecondFactors;
  readonly deps: PasskeyDeps;
  readonly #db: TestOrm;

  private constructor(db: TestOrm, factors: TestSecondFactors) {
    this.#db = db;
    this.factors = factors;
    this.deps = { ...factors.deps, relyingParty: RELYING_PARTY, challengeLifetimeMs: 300_000 };
  }

  /** Empties the database. */
  static async open(db: TestOrm): Promise<TestPasskeys> {
    return new TestPasskeys(db, await TestSecondFactors.open(db));
  }

  /** A new authenticator of a user; Ada's unless told. */
  authenticator(userId = this.factors.ada.id, algorithm: 'ES256' | 'EdDSA' = 'ES256'): TestAuthenticator {
    const [origin = ''] = RELYING_PARTY.origins;
    return new TestAuthenticator({ userId, origin, rpId: RELYING_PARTY.id, algorithm });
  }

  async begin(signedIn: TestSignIn): Promise<BegunRegistration> {
    const { options, ...begun } = await beginPasskeyRegistration(this.deps, signedIn);
    const parsed = JSON.parse(options) as { readonly challenge: string };
    return { ...begun, options: { ...parsed }, challenge: Buffer.from(parsed.challenge, 'base64url') };
  }

  finish(
    signedIn: TestSignIn,
    { token }: BegunRegistration,
    response: object,
    name: string | null = null,
  ): ReturnType<typeof finishPasskeyRegistration> {
    return finishPasskeyRegistration(this.deps, {
      ...signedIn,
      token,
      name,
      response: JSON.stringify(response),
    });
  }

  /** Registers an authenticator by both calls. */
  async register(
    signedIn: TestSignIn,
    authenticator: TestAuthenticator,
    saying: Saying = {},
  ): Promise<{ readonly passkey: Passkey; readonly recoveryCodes: readonly string[] }> {
    const begun = await this.begin(signedIn);
    return await this.finish(signedIn, begun, authenticator.register(begun.challenge, saying));
  }

  /**
   * Verifies an assertion of an authenticator in a transaction of its own, which goes on with the user's row as a sign-in
   * does. It is the second factor of Ada unless told.
   */
  async verify(
    authenticator: TestAuthenticator,
    saying: Saying = {},
    proof: Partial<PasskeyProof> = {},
  ): ReturnType<typeof verifyPasskey> {
    const challenge = newWebauthnChallenge();
    const response = JSON.stringify(authenticator.assert(challenge, saying));
    return await this.factors.identity.unitOfWork.transactional(async (repositories) => {
      const verified = await verifyPasskey(repositories, {
        relyingParty: RELYING_PARTY,
        userId: this.factors.ada.id,
        response,
        challenge,
        requireUserVerification: false,
        device: DEVICE,
        at: this.factors.identity.now(),
        ...proof,
      });
      await repositories.credentials.holdAccount({ userId: this.factors.ada.id });
      return verified;
    });
  }

  /** Passkeys as they are kept, oldest first. */
  stored(): Promise<Record<string, unknown>[]> {
    return this.#db.rows('select * from user_service.passkeys order by created_at, id');
  }

  /** The account as it is kept. */
  async account(userId: Uuid = this.factors.ada.id): Promise<Record<string, unknown> | undefined> {
    const [row] = await this.#db.rows('select * from user_service.users where id = $1', [userId]);
    return row;
  }
}
