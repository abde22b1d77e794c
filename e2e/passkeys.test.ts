import { randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Severity } from '../gen/optix/identity/v1/security_event_service_pb.ts';
import { freePort } from '../stack/ports.ts';
import { type Chromium, startChromium } from '../testing/chromium.ts';
import {
  addVirtualAuthenticator,
  createPasskey,
  usePasskey,
  type VirtualAuthenticator,
} from '../testing/chromium-passkeys.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { failure, fieldsOf, reasonOf } from '../testing/failure.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const PASSWORD = 'correct horse battery staple';
const AUTH = 'optix.identity.v1.AuthenticationService';
const CREDENTIALS = 'optix.identity.v1.CredentialService';
const DEVICES = { id: 'laptop', fingerprint: 'f1', name: 'laptop' };
/** A passkey that verified its user is two factors by itself. */
const PASSKEY_ALONE = { amr: ['hwk', 'user', 'mfa'], acr: 'aal2' };

let database: TestDatabase;
let service: TestService;
let chromium: Chromium;
let rpcs: IdentityRpcs;
/** A page that may use passkeys, as it is where nothing is set: the HTTP port on localhost. */
let origin: string;
beforeAll(async () => {
  const port = await freePort();
  origin = `http://localhost:${port}`;
  database = await createTestDatabase();
  service = await startTestIdentity({
    ...{ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false', IDENTITY_HTTP_PORT: `${port}` },
  });
  chromium = await startChromium();
  rpcs = identityRpcs(service.transport('gRPC'));
});
afterAll(async () => {
  await chromium?.close();
  await service?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

/** What an RPC answers a page: JSON, as Connect has it. */
interface Answer {
  readonly code?: string;
  readonly details?: readonly { readonly debug?: { readonly reason?: string } }[];
  readonly accessToken?: string;
  readonly refreshToken?: string;
  readonly registrationToken?: string;
  readonly options?: string;
  readonly recoveryCodes?: readonly string[];
  readonly passkey?: { readonly id: string; readonly name?: string };
  readonly session?: { readonly id: string };
  readonly challenge?: {
    readonly token: string;
    readonly methods: string[];
    readonly passkeyOptions: string;
  };
}

/** A person in front of a browser with one authenticator. */
class Person {
  readonly page: Page;
  readonly authenticator: VirtualAuthenticator;
  readonly email = `${randomUUID()}@example.com`;
  id = '';

  constructor(page: Page, authenticator: VirtualAuthenticator) {
    this.page = page;
    this.authenticator = authenticator;
  }

  static async withAccount(): Promise<Person> {
    const page = await chromium.openPage(origin);
    const person = new Person(page, await addVirtualAuthenticator(page));
    const { email } = person;
    const { user } = await rpcs.auth.register({ email, password: PASSWORD });
    person.id = user?.id ?? '';
    return person;
  }

  /** Calls an RPC from the page, over the HTTP port. */
  async call(rpc: string, request: object): Promise<Answer> {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ device: DEVICES, ...request }),
    };
    return await this.page.evaluate<Answer>(
      `fetch('/${rpc}', ${JSON.stringify(init)}).then((answer) => answer.json())`,
    );
  }

  async showPassword(): Promise<Answer> {
    return await this.call(`${AUTH}/Authenticate`, { email: this.email, password: PASSWORD });
  }

  async register(accessToken: string, name: string): Promise<Answer> {
    const begun = await this.call(`${CREDENTIALS}/BeginPasskeyRegistration`, { accessToken });
    const { registrationToken, options = '{}' } = begun;
    const response = await createPasskey(this.page, JSON.parse(options));
    const finished = { accessToken, registrationToken, response, name };
    return await this.call(`${CREDENTIALS}/FinishPasskeyRegistration`, finished);
  }

  /** Answers a challenge with the passkey. */
  async answer({ challenge }: Answer): Promise<Answer> {
    const { token: challengeToken, passkeyOptions = '{}' } = challenge ?? {};
    const passkeyResponse = await usePasskey(this.page, JSON.parse(passkeyOptions));
    return await this.call(`${AUTH}/CompleteChallenge`, { challengeToken, passkeyResponse });
  }

  /** Signs in with the passkey alone; nobody is named. */
  async signInWithPasskey(): Promise<Answer> {
    return await this.answer(await this.call(`${AUTH}/BeginPasskeyAuthentication`, {}));
  }
}

const reasonIn = ({ code, details = [] }: Answer) =>
  `${code} ${details.map(({ debug }) => debug?.reason).find((reason) => reason !== undefined)}`;
const claimsOf = ({ accessToken = '' }: Answer) => decodeJwt(accessToken);

let person: Person;
beforeEach(async () => {
  person = await Person.withAccount();
});
afterEach(() => person.page.context().close());

/** Registers the first passkey, in a session by password. */
async function registered(): Promise<Answer> {
  const { accessToken = '' } = await person.showPassword();
  return await person.register(accessToken, 'laptop');
}

describe('a passkey that a page registers over the HTTP port', () => {
  it('signs in alone, without anybody being named, and is two factors then', async () => {
    const { accessToken = '', session } = await person.showPassword();
    expect(claimsOf({ accessToken })).toMatchObject({ amr: ['pwd'], acr: 'aal1' });
    const { passkey, recoveryCodes } = await person.register(accessToken, 'laptop');
    expect(passkey).toMatchObject({ name: 'laptop', userId: person.id });
    expect(recoveryCodes).toHaveLength(10);
    await person.call(`${AUTH}/SignOut`, { accessToken });
    expect((await rpcs.sessions.getSession({ id: session?.id ?? '' })).session?.active).toBe(false);

    const signedIn = await person.signInWithPasskey();
    expect(claimsOf(signedIn)).toMatchObject({ ...PASSKEY_ALONE, sub: person.id });
    const token = signedIn.accessToken ?? '';
    const introspected = await rpcs.tokens.introspectToken({ token });
    expect(introspected).toMatchObject({ ...PASSKEY_ALONE, active: true, mfaVerified: true });
    const { passkeys, enabled } = await rpcs.credentials.listSecondFactors({ userId: person.id });
    expect([enabled, passkeys.length]).toEqual([true, 1]);
    expect(passkeys[0]?.lastUseTime).toBeDefined();
  });

  it('is asked for after the password, and completes the sign-in', async () => {
    await registered();
    const due = await person.showPassword();
    expect(due.accessToken).toBe('');
    expect(due.challenge?.methods).toEqual(['CHALLENGE_METHOD_PASSKEY', 'CHALLENGE_METHOD_RECOVERY_CODE']);
    const claims = claimsOf(await person.answer(due));
    expect(claims).toMatchObject({ amr: ['pwd', 'hwk', 'user', 'mfa'], acr: 'aal2', sub: person.id });
  });

  it('is one of several: another computer has its own, the same one makes none twice, each goes by itself', async () => {
    const { passkey: first } = await registered();
    const { accessToken = '' } = await person.signInWithPasskey();
    await expect(person.register(accessToken, 'again')).rejects.toThrow('InvalidStateError');

    const page = await chromium.openPage(origin);
    const elsewhere = new Person(page, await addVirtualAuthenticator(page, { transport: 'usb' }));
    const second = await elsewhere.register(accessToken, 'key ring');
    expect(second.recoveryCodes).toEqual([]);
    expect(claimsOf(await elsewhere.signInWithPasskey())['sub']).toBe(person.id);
    const listed = async () =>
      (await rpcs.credentials.listSecondFactors({ userId: person.id })).passkeys.map(({ name }) => name);
    expect(await listed()).toEqual(['laptop', 'key ring']);

    await person.call(`${CREDENTIALS}/DeletePasskey`, { accessToken, passkeyId: first?.id });
    expect(await listed()).toEqual(['key ring']);
    expect(reasonIn(await person.signInWithPasskey())).toBe('unauthenticated SECOND_FACTOR_REFUSED');
    expect(claimsOf(await elsewhere.signInWithPasskey())['sub']).toBe(person.id);
    await person.call(`${CREDENTIALS}/DeletePasskey`, { accessToken, passkeyId: second.passkey?.id });
    expect(claimsOf(await person.showPassword())).toMatchObject({ amr: ['pwd'], acr: 'aal1' });
    await page.context().close();
  });

  it('whose authenticator was copied is refused, and the audit log has it', async () => {
    const { passkey } = await registered();
    await person.signInWithPasskey();
    const [stored] = await person.authenticator.credentials();
    await person.authenticator.setSignCount(stored?.credentialId ?? Buffer.alloc(0), 0);
    expect(reasonIn(await person.signInWithPasskey())).toBe('unauthenticated SECOND_FACTOR_REFUSED');
    const filter = { userId: person.id, types: ['passkey_cloned'] };
    const { events } = await rpcs.events.listSecurityEvents({ filter });
    expect(events).toMatchObject([
      { severity: Severity.HIGH, metadata: { passkey_id: passkey?.id }, device: { id: 'laptop' } },
    ]);
  });

  it('that nobody has is refused as one whose signature is wrong, to the byte', async () => {
    const { passkey } = await registered();
    const { accessToken } = await person.signInWithPasskey();
    const begin = () => person.call(`${AUTH}/BeginPasskeyAuthentication`, {});
    const { challenge } = await begin();
    const assertion = JSON.parse(await usePasskey(person.page, JSON.parse(challenge?.passkeyOptions ?? '')));
    const other = JSON.parse(await usePasskey(person.page, JSON.parse(challenge?.passkeyOptions ?? '')));
    assertion.response.signature = other.response.signature;
    const wrong = await person.call(`${AUTH}/CompleteChallenge`, {
      challengeToken: challenge?.token,
      passkeyResponse: JSON.stringify(assertion),
    });
    await person.call(`${CREDENTIALS}/DeletePasskey`, { accessToken, passkeyId: passkey?.id });
    const unknown = await person.signInWithPasskey();
    expect(reasonIn(unknown)).toBe('unauthenticated SECOND_FACTOR_REFUSED');
    expect(unknown).toEqual(wrong);
  });

  it('of a page of another origin is refused', async () => {
    const page = await chromium.openPage('http://localhost:9');
    await addVirtualAuthenticator(page);
    const { accessToken = '' } = await person.showPassword();
    const { options, registrationToken } = await rpcs.credentials.beginPasskeyRegistration({ accessToken });
    const response = await createPasskey(page, JSON.parse(options));
    const finished = { accessToken, registrationToken, response };
    const refused = await failure(rpcs.credentials.finishPasskeyRegistration(finished));
    expect([reasonOf(refused), fieldsOf(refused)]).toEqual(['PASSKEY_REFUSED', ['response']]);
    await page.context().close();
  });
});
