import { createHash, randomBytes, scryptSync } from 'node:crypto';
import { ConnectError } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { encryptionKeys, readConfig } from '../services/identity/config.ts';
import { SecretBox } from '../services/identity/domain/secret-box.ts';
import { openSigningKey, type StoredSigningKey } from '../services/identity/domain/signing-key.ts';
import { TestSmtpServer } from '../services/identity/mail/testing-smtp-server.ts';
import type { LogEntry } from '../testing/collecting-logger.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';
import { keepingErrors } from './keeping-errors.ts';
import { readMail } from './mailed-token.ts';
import { PASSKEY_SETTINGS, useSecondFactors } from './second-factor-secrets.ts';
import { findSecrets, type Place } from './secret-search.ts';
import { postgresContents, redisContents } from './store-contents.ts';

const EMAIL = 'ada@example.com';
const random = (name: string) => `${name} ${randomBytes(12).toString('base64url')}`;

/** Every secret that the scenario has to do with, by what it is. */
const secrets: Record<string, string | Uint8Array> = {
  'encryption key': randomBytes(32),
  'older encryption key': randomBytes(32),
  'API key': random('key').replace(' ', '_'),
  'API key of nobody': random('key').replace(' ', '_'),
  'mail password': random('mail'),
  password: random('password'),
  'changed password': random('changed'),
  'reset password': random('reset'),
  'wrong password': random('wrong'),
  'refused password': 'qzqzqzqzqzqzqz',
  'password of an operator': random('operator'),
  'imported password': random('imported'),
};
const secret = (name: string): string => secrets[name] as string;
const keyText = (name: string): string => Buffer.from(secrets[name] as Uint8Array).toString('base64');

let database: TestDatabase;
let smtp: TestSmtpServer;
let service: TestService;
let env: Record<string, string>;
const errors: ConnectError[] = [];
let mailsFail = false;
const resources = new AsyncDisposableStack();
beforeAll(async () => {
  database = resources.use(await createTestDatabase());
  smtp = resources.use(
    await TestSmtpServer.start(
      { data: () => (mailsFail ? 451 : undefined) },
      {
        authOptional: false,
        onAuth: ({ username, password }, _session, done) =>
          password === secret('mail password') ? done(null, { user: username }) : done(new Error('no')),
      },
    ),
  );
  env = {
    DATABASE_URL: database.url,
    REDIS_URL: testRedisUrl(),
    RATE_LIMIT_ENABLED: 'false',
    LOG_LEVEL: 'debug',
    IDENTITY_ENCRYPTION_KEY: keyText('encryption key'),
    IDENTITY_OLDER_ENCRYPTION_KEYS: keyText('older encryption key'),
    IDENTITY_CALLER_KEYS: `console=${createHash('sha256').update(secret('API key')).digest('hex')};*`,
    ...PASSKEY_SETTINGS,
    MAIL_URL: `smtp://optix:${encodeURIComponent(secret('mail password'))}@127.0.0.1:${smtp.port}`,
  };
  secrets['database password'] = decodeURIComponent(new URL(database.url).password);
  service = resources.use(await startTestIdentity(env));
  await vi.waitFor(async () => expect((await service.get('/health')).status).toBe(200), 10_000);
});
afterAll(() => resources.disposeAsync());

/** Clients by an API key, over both transports. Every error is kept. */
function calls(apiKey: string): { readonly grpc: IdentityRpcs; readonly http: IdentityRpcs } {
  const grpc = resources.use(createGrpcTransport({ address: service.grpcAddress, apiKey }));
  const http = createConnectTransport({
    baseUrl: service.httpUrl,
    httpVersion: '1.1',
    interceptors: [
      (next) => async (request) => {
        request.header.set('authorization', `Bearer ${apiKey}`);
        return await next(request);
      },
    ],
  });
  return { grpc: identityRpcs(keepingErrors(grpc, errors)), http: identityRpcs(keepingErrors(http, errors)) };
}

/** The token of the newest mail with a subject, once so many have come. */
async function mailed(subject: string, count: number): Promise<string> {
  const token = () => {
    const mails = smtp.taken.map(({ message }) => readMail(message));
    return mails.filter((mail) => mail.subject === subject)[count - 1]?.token;
  };
  await expect.poll(token, { timeout: 10_000 }).toBeDefined();
  return token() ?? '';
}

/** Signs in and keeps the tokens among the secrets. */
async function signIn({ auth }: IdentityRpcs, name: string, email: string, password: string) {
  const answer = await auth.authenticate({ email, password, device: { ipAddress: '203.0.113.7' } });
  secrets[`access token ${name}`] = answer.accessToken;
  secrets[`refresh token ${name}`] = answer.refreshToken;
  return answer;
}

/** All that people, operators and backends do with secrets, well and badly. */
async function scenario(): Promise<void> {
  const { grpc, http } = calls(secret('API key'));
  const password = secret('password');
  const { user } = await grpc.auth.register({ email: EMAIL, password, firstName: 'Ada', requestId: 'r-1' });
  const userId = user?.id ?? '';
  const wrong = secret('wrong password');
  await failure(http.auth.register({ email: EMAIL, password: wrong }));
  await failure(http.auth.register({ email: 'eve@example.com', password: wrong, requestId: 'r-1' }));
  // In the wrong field.
  await failure(http.auth.register({ email: password, password: secret('refused password') }));
  await failure(http.auth.register({ email: 'eve@example.com', password: secret('refused password') }));
  for (const { auth } of [grpc, http]) await failure(auth.authenticate({ email: EMAIL, password: wrong }));
  await failure(grpc.auth.authenticate({ email: 'nobody@example.com', password: wrong }));
  await failure(calls(secret('API key of nobody')).http.auth.authenticate({ email: EMAIL, password }));

  const first = await signIn(grpc, '1', EMAIL, password);
  const second = await signIn(http, '2', EMAIL, password);
  const refreshed = await grpc.tokens.refreshToken({ refreshToken: first.refreshToken });
  secrets['access token 3'] = refreshed.accessToken;
  secrets['refresh token 3'] = refreshed.refreshToken;
  await http.tokens.refreshToken({ refreshToken: first.refreshToken });
  const tokens = [refreshed.accessToken, second.accessToken, `${second.accessToken}x`];
  for (let time = 0; time < 3; time += 1) await grpc.tokens.batchIntrospectTokens({ tokens });
  await failure(grpc.tokens.introspectToken({ token: second.refreshToken }));
  await failure(http.tokens.refreshToken({ refreshToken: second.accessToken }));
  await failure(http.users.getUser({ id: second.accessToken }));

  // The first one was sent with the registration.
  secrets['replaced verification token'] = await mailed('Verify your e-mail address', 1);
  await grpc.users.sendEmailVerification({ id: userId });
  const verification = await mailed('Verify your e-mail address', 2);
  secrets['verification token'] = verification;
  await grpc.users.verifyEmail({ token: verification, requestId: 'v-1' });
  await failure(http.users.verifyEmail({ token: verification }));

  const change = { userId, currentPassword: password, newPassword: secret('changed password') };
  await failure(http.credentials.changePassword({ ...change, newPassword: secret('refused password') }));
  await grpc.credentials.changePassword({ ...change, requestId: 'c-1' });
  await failure(http.credentials.changePassword(change));
  await grpc.credentials.requestPasswordReset({ email: EMAIL });
  const reset = await mailed('Reset your password', 1);
  secrets['reset token'] = reset;
  await grpc.credentials.confirmPasswordReset({
    token: reset,
    newPassword: secret('reset password'),
    requestId: 'p-1',
  });
  await failure(http.credentials.confirmPasswordReset({ token: reset, newPassword: wrong }));

  const third = await signIn(http, '4', EMAIL, secret('reset password'));
  await grpc.tokens.revokeToken({ token: third.accessToken, reason: 'lost' });
  await grpc.auth.signOut({ refreshToken: third.refreshToken });
  await failure(grpc.tokens.refreshToken({ refreshToken: third.refreshToken }));

  await grpc.users.createUser({ email: 'op@example.com', password: secret('password of an operator') });
  const salt = randomBytes(16);
  const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  const hash = scryptSync(secret('imported password'), salt, 32, { N: 1024, r: 8, p: 1 });
  const passwordHash = `$scrypt$ln=10,r=8,p=1$${base64(salt)}$${base64(hash)}`;
  secrets['imported hash'] = passwordHash;
  async function* imported() {
    yield { email: 'imported@example.com', passwordHash };
    yield { email: 'bad@example.com', passwordHash: `${passwordHash}!` };
  }
  expect(await grpc.users.importUsers(imported())).toMatchObject({ importedCount: 1n, failedCount: 1n });
  await signIn(grpc, '5', 'imported@example.com', secret('imported password'));

  const created = await grpc.callers.createCallerKey({ name: 'gateway', scopes: ['auth'] });
  const rotated = await http.callers.rotateCallerKey({ id: created.callerKey?.id ?? '' });
  secrets['created API key'] = created.key;
  secrets['rotated API key'] = rotated.key;
  await calls(rotated.key).grpc.auth.authenticate({ email: EMAIL, password: secret('reset password') });
  await grpc.signingKeys.rotateSigningKeys({ force: true });

  await useSecondFactors({ grpc, http }, database.url, (name, value) => {
    secrets[name] = value;
  });

  // What the database refuses for a reason that nobody foresaw.
  const sql = (text: string) => withTestClient(database.url, (client) => client.query(text));
  await sql('alter table user_service.users add constraint fault check (false) not valid');
  const broken = await failure(http.auth.register({ email: 'new@example.com', password: wrong }));
  expect(reasonOf(broken)).toBe('INTERNAL');
  await sql('alter table user_service.users drop constraint fault');

  // A mail that waits.
  mailsFail = true;
  await grpc.users.sendEmailVerification({ id: (await idOf(grpc, 'op@example.com')) ?? '' });
  await expect.poll(() => logged('a mail could not be sent yet'), { timeout: 10_000 }).toBe(true);
}

const idOf = async ({ users }: IdentityRpcs, email: string) => (await users.getUser({ email })).user?.id;
const logged = (message: string) => service.log.some(({ msg }) => msg === message);

/** What the service can decrypt in its database: the signing keys, and the mail that waits. */
async function sealedSecrets(): Promise<void> {
  const { primary, older } = encryptionKeys(readConfig(env));
  const box = SecretBox.fromKeys(primary, older);
  await withTestClient(database.url, async (client) => {
    const keys = await client.query('select * from user_service.signing_keys');
    for (const { kid, public_jwk: publicJwk, private_key, private_key_key_id: keyId } of keys.rows) {
      const stored = { kid, publicJwk, privateKey: { keyId, ciphertext: private_key } };
      const { privateKey } = await openSigningKey(stored as StoredSigningKey, box);
      const { d = '' } = privateKey.export({ format: 'jwk' });
      secrets[`private key ${kid}`] = Buffer.from(d, 'base64url');
    }
    const [mail] = (await client.query('select * from user_service.outgoing_mails')).rows;
    const opened = box.open(
      { keyId: mail.payload_key_id, ciphertext: mail.payload },
      { purpose: 'mail', owner: mail.id },
    );
    secrets['token of a mail that waits'] = JSON.parse(opened.toString()).message.token;
  });
}

async function everything(): Promise<Place[]> {
  // Its client side: what callers may write to their own logs.
  const said = errors.map(({ message, cause, details, metadata }) =>
    JSON.stringify([message, String(cause), details, [...metadata]]),
  );
  return [
    ...(await postgresContents(database.url)),
    ...(await redisContents(env['REDIS_URL'] ?? '')),
    ...service.log.map((entry) => ({ name: 'the log', text: JSON.stringify(entry) })),
    ...said.map((text) => ({ name: 'an error', text })),
  ];
}

describe('after everything that is done with secrets', () => {
  it('no table, no key of Redis, no line of the log and no error has one of them', async () => {
    await scenario();
    await sealedSecrets();
    expect(Object.keys(secrets).length).toBeGreaterThan(75);
    const places = await everything();
    const names = new Set(places.map(({ name }) => name));
    for (const name of [
      'user_service.totp_authenticators.secret',
      'a string of Redis',
      'the log',
      'an error',
    ]) {
      expect(names).toContain(name);
    }
    expect(errors.length).toBeGreaterThan(25);
    expect(findSecrets(secrets, places)).toEqual([]);
  });

  it('the search finds one that is planted, in any store and spelling', async () => {
    const token = secret('refresh token 1');
    const bytes = secrets['encryption key'] as Buffer;
    await withTestClient(database.url, async (client) => {
      await client.query('create table user_service.planted (note text, data bytea, facts jsonb)');
      const inner = Buffer.from(`{"t":"${token}"}`);
      await client.query('insert into user_service.planted values ($1, $2, $3)', [
        `a ${secret('password')} b`,
        Buffer.concat([Buffer.from('x'), bytes]),
        { inner: inner.toString('base64') },
      ]);
    });
    const redis = new Redis(env['REDIS_URL'] ?? '', { protocol: 2 });
    await redis.set(`planted:${token}`, bytes);
    await redis.hset('planted', 'field', bytes.toString('hex').toUpperCase());
    redis.disconnect();
    errors.push(new ConnectError(`no: ${secret('mail password')}`));
    (service.log as LogEntry[]).push({ msg: 'planted', nested: { hash: secrets['imported hash'] } });
    const found = findSecrets(secrets, await everything());
    expect(found).toEqual(
      expect.arrayContaining([
        'password as text in user_service.planted.note',
        'encryption key as bytes in user_service.planted.data',
        'refresh token 1 as base64 in user_service.planted.facts',
        'refresh token 1 as text in a string of Redis',
        'encryption key as hex in a hash of Redis',
        'mail password as text in an error',
        'imported hash as text in the log',
      ]),
    );
  });
});
