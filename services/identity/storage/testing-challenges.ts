import { authenticate } from '../domain/authenticate.ts';
import type { OpenedChallenge } from '../domain/challenges/begin-challenge.ts';
import { beginStepUp } from '../domain/challenges/begin-step-up.ts';
import type { ChallengeDeps } from '../domain/challenges/challenge-deps.ts';
import {
  type ChallengeCompletion,
  completeChallenge,
  type TypedProof,
} from '../domain/challenges/complete-challenge.ts';
import type { Device } from '../domain/device.ts';
import type { SignedIn } from '../domain/open-session.ts';
import type { TestAuthenticator } from '../domain/passkeys/testing-authenticator.ts';
import type { User } from '../domain/user.ts';
import { ChallengeRepository } from './challenge-repository.ts';
import { PasskeyRepository } from './passkey-repository.ts';
import { DEVICE, email, PASSWORD, type TestIdentity } from './testing-identity.ts';
import type { TestMailbox } from './testing-mailbox.ts';
import type { TestOrm } from './testing-orm.ts';
import { RELYING_PARTY, TestPasskeys } from './testing-passkeys.ts';
import type { TestApp, TestSecondFactors } from './testing-second-factors.ts';

/** Challenges on a real database, and Ada's account to sign in to, which no event and no mail is about yet. */
export class TestChallenges {
  readonly passkeys: TestPasskeys;
  readonly factors: TestSecondFactors;
  readonly identity: TestIdentity;
  readonly mailbox: TestMailbox;
  readonly ada: User;
  readonly deps: ChallengeDeps;
  readonly #db: TestOrm;

  private constructor(db: TestOrm, passkeys: TestPasskeys) {
    const { factors } = passkeys;
    const { identity, mailbox, ada } = factors;
    this.passkeys = passkeys;
    this.factors = factors;
    this.identity = identity;
    this.mailbox = mailbox;
    this.ada = ada;
    this.#db = db;
    identity.relyingParty = RELYING_PARTY;
    const { unitOfWork, lockout, detectionPolicy, accountTags, accessTokens, sessionPolicy } = identity;
    const { sessionLifetimeMs, challengeLifetimeMs, limiter, networkLocks, hasher, detection } = identity;
    const { secondFactors, trustedDevicePolicy, sessions, liveStates, now } = identity;
    this.deps = {
      ...{ unitOfWork, lockout, detectionPolicy, accountTags, accessTokens, sessionPolicy },
      ...{ sessionLifetimeMs, challengeLifetimeMs, limiter, networkLocks, hasher, detection },
      ...{ secondFactors, trustedDevicePolicy, sessions, stateCache: liveStates, now },
      relyingParty: RELYING_PARTY,
      introspection: identity,
      credentialReads: identity.credentials,
      stepUpMaxAgeMs: 600_000,
      challengeReads: new ChallengeRepository(db.orm.em),
      passkeyReads: new PasskeyRepository(db.orm.em),
    };
  }

  /** Empties the database. */
  static async open(db: TestOrm): Promise<TestChallenges> {
    return new TestChallenges(db, await TestPasskeys.open(db));
  }

  /** Gives Ada an authenticator app, and lets the time pass in which its code is used up; no event and no mail stays. */
  async enrollApp(): Promise<{ readonly app: TestApp; readonly recoveryCodes: readonly string[] }> {
    const enrolled = await this.factors.enroll(await this.factors.signIn(['pwd', 'otp']));
    this.factors.passSteps();
    await this.forgetPast();
    return enrolled;
  }

  /** Gives Ada a passkey; no event and no mail stays. */
  async registerPasskey(): Promise<TestAuthenticator> {
    const authenticator = this.passkeys.authenticator();
    await this.passkeys.register(await this.factors.signIn(['pwd', 'otp']), authenticator);
    await this.forgetPast();
    return authenticator;
  }

  async forgetPast(): Promise<void> {
    await this.#db.rows(
      `truncate user_service.security_events, user_service.outgoing_mails, user_service.sessions_history,
         user_service.refresh_token_families, user_service.auth_challenges`,
    );
    this.identity.limiter.asked.length = 0;
  }

  /** Shows the right password. */
  async authenticate(
    more: { readonly device?: Device; readonly trustToken?: string; readonly password?: string } = {},
  ): Promise<SignedIn | { readonly challenge: OpenedChallenge }> {
    const { device = DEVICE, password = PASSWORD, trustToken } = more;
    const shown = { email: email('ada@example.com'), password, device };
    return await authenticate(this.identity, {
      ...shown,
      ...(trustToken === undefined ? {} : { trustToken }),
    });
  }

  /** Shows the right password, where a second factor is due. */
  async challenge(device: Device = DEVICE): Promise<OpenedChallenge> {
    const answer = await this.authenticate({ device });
    if (!('challenge' in answer)) throw new Error('no second factor is due');
    return answer.challenge;
  }

  async stepUp(accessToken: string, device: Device = DEVICE): Promise<OpenedChallenge> {
    return await beginStepUp(this.deps, { accessToken, device });
  }

  complete(
    { token }: Pick<OpenedChallenge, 'token'>,
    proof: TypedProof,
    more: Partial<Pick<ChallengeCompletion, 'device' | 'wantsTrust'>> = {},
  ): ReturnType<typeof completeChallenge> {
    return completeChallenge(this.deps, { token, proof, device: DEVICE, wantsTrust: false, ...more });
  }

  /** What a browser answers to a challenge with an authenticator. */
  assertion(
    { passkeyOptions }: OpenedChallenge,
    authenticator: TestAuthenticator,
    saying: Parameters<TestAuthenticator['assert']>[1] = {},
  ): TypedProof {
    const { challenge } = JSON.parse(passkeyOptions ?? '{}') as { readonly challenge: string };
    const response = authenticator.assert(Buffer.from(challenge, 'base64url'), saying);
    return { method: 'passkey', response: JSON.stringify(response) };
  }

  readonly account = async () => (await this.#db.rows('select * from user_service.users'))[0];
  readonly sessions = () => this.#db.rows('select * from user_service.sessions_history order by id');
  readonly challenges = () =>
    this.#db.rows('select * from user_service.auth_challenges order by created_at, id');
  readonly events = () => this.#db.rows('select * from user_service.security_events order by id');
  readonly eventTypes = async () => (await this.events()).map((event) => event['event_type']);
}

export const totp = (code: string): TypedProof => ({ method: 'totp', code });
