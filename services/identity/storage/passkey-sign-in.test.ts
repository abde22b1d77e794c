import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OpenedChallenge } from '../domain/challenges/begin-challenge.ts';
import { beginPasskeyAuthentication } from '../domain/challenges/begin-passkey-authentication.ts';
import { InvalidChallenge } from '../domain/challenges/errors.ts';
import { RateLimited } from '../domain/errors.ts';
import { FLAG, type TestAuthenticator } from '../domain/passkeys/testing-authenticator.ts';
import { deletePasskey } from '../domain/second-factors/delete-passkey.ts';
import { PasskeysNotConfigured, SecondFactorRefused } from '../domain/second-factors/errors.ts';
import { TestChallenges, totp } from './testing-challenges.ts';
import { DEVICE, PASSWORD } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let tests: TestChallenges;
let authenticator: TestAuthenticator;
let challenge: OpenedChallenge;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 60_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  tests = await TestChallenges.open(db);
  authenticator = await tests.registerPasskey();
  challenge = await begin();
});

const begin = () => beginPasskeyAuthentication(tests.deps, DEVICE);
const shown = (saying = {}) => tests.assertion(challenge, authenticator, saying);

test('begins for nobody: any passkey of the user, who is verified', async () => {
  expect(challenge.methods).toEqual(['passkey']);
  const options = JSON.parse(challenge.passkeyOptions ?? '') as Record<string, unknown>;
  expect(options).toMatchObject({ rpId: 'example.com', userVerification: 'required' });
  expect(options['allowCredentials'] ?? []).toEqual([]);
  expect(await tests.challenges()).toMatchObject([{ purpose: 'passkey_sign_in', user_id: null, amr: [] }]);
});

test('opens a session with two factors, of an account without a password too', async () => {
  await db.rows('update user_service.users set password_hash = null');
  const { session, accessToken, refreshToken } = await tests.complete(challenge, shown());
  expect(session).toMatchObject({
    ...{ userId: tests.ada.id, mfaVerified: true },
    authentication: { amr: ['hwk', 'user', 'mfa'], acr: 'aal2' },
  });
  expect(decodeJwt(accessToken.token)).toMatchObject({ sub: tests.ada.id, amr: ['hwk', 'user', 'mfa'] });
  expect(refreshToken).not.toBeNull();
  expect(await tests.events()).toMatchObject([
    { event_type: 'login_succeeded', user_id: tests.ada.id, metadata: { method: 'passkey' } },
  ]);
  await expect(tests.complete(challenge, shown())).rejects.toEqual(new InvalidChallenge());
});

describe('is refused alike, whatever the reason:', () => {
  test.each<[string, string, () => Promise<object> | object]>([
    ['a wrong signature', 'second_factor_wrong', () => ({ challenge: Buffer.alloc(32) })],
    ['a user who was not verified', 'second_factor_wrong', () => ({ flags: FLAG.userPresent })],
    ['another page', 'second_factor_wrong', () => ({ origin: 'https://evil.example' })],
    [
      'a passkey that nobody has any more',
      'unknown_user',
      () => db.rows('delete from user_service.passkeys'),
    ],
    [
      'a suspended user',
      'account_not_active',
      () => db.rows(`update user_service.users set status = 'suspended'`),
    ],
    [
      'a locked user',
      'account_not_active',
      () => db.rows(`update user_service.users set locked_until = now() + interval '1 day'`),
    ],
  ])('%s', async (_case, reason, change) => {
    const saying = await change();
    await expect(tests.complete(challenge, shown(Array.isArray(saying) ? {} : saying))).rejects.toEqual(
      new SecondFactorRefused(4),
    );
    expect(await tests.sessions()).toEqual([]);
    expect(await tests.challenges()).toMatchObject([{ attempts: 1, used_at: null }]);
    expect(await tests.events()).toMatchObject([
      { event_type: 'login_failed', metadata: { method: 'passkey', reason } },
    ]);
    expect(await db.rows('select from user_service.sign_in_throttles')).toHaveLength(1);
  });

  test.each<[string, Parameters<TestChallenges['complete']>[1]]>([
    ['what is no passkey', { method: 'passkey', response: 'no JSON' }],
    ['a code', totp('123456')],
    ['a password', { method: 'password', password: PASSWORD }],
    ['a recovery code', { method: 'recovery_code', code: '000000-000000-000000-000000' }],
  ])('%s', async (_case, proof) => {
    await expect(tests.complete(challenge, proof)).rejects.toEqual(new SecondFactorRefused(4));
    expect(await tests.events()).toMatchObject([{ user_id: null, metadata: { reason: 'unknown_user' } }]);
  });
});

test('a sign-in that does not fit and locks is refused, and locks', async () => {
  const device = { ...DEVICE, id: 'known', fingerprint: 'known' };
  const begun = await beginPasskeyAuthentication(tests.deps, device);
  await tests.complete(begun, tests.assertion(begun, authenticator), { device });
  Object.assign(tests.identity.detectionPolicy.responses, { new_device: 'lock' });
  await expect(tests.complete(challenge, shown())).rejects.toBeInstanceOf(SecondFactorRefused);
  expect(await tests.account()).toMatchObject({ locked_until: expect.any(Date) });
  expect(await tests.eventTypes()).toEqual(
    expect.arrayContaining(['new_device', 'account_locked', 'login_failed']),
  );
});

test('a passkey that is taken away while it signs in opens no session, or has opened one before', async () => {
  for (let round = 0; round < 10; round += 1) {
    tests = await TestChallenges.open(db);
    authenticator = await tests.registerPasskey();
    challenge = await begin();
    const signedIn = await tests.factors.signIn(['pwd', 'otp']);
    const [kept] = await tests.passkeys.stored();
    const [completed, deleted] = await Promise.allSettled([
      tests.complete(challenge, shown()),
      deletePasskey(tests.passkeys.deps, { ...signedIn, passkeyId: kept?.['id'] as never }),
    ]);
    expect(deleted.status).toBe('fulfilled');
    if (completed.status === 'rejected') expect(completed.reason).toBeInstanceOf(SecondFactorRefused);
  }
});

test('of a thousand at once one opens a session', async () => {
  const proof = shown();
  const results = await Promise.allSettled(
    Array.from({ length: 1000 }, () => tests.complete(challenge, proof)),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await tests.sessions()).toHaveLength(1);
}, 120_000);

test('needs a relying party', async () => {
  const deps = { ...tests.deps, relyingParty: null };
  await expect(beginPasskeyAuthentication(deps, DEVICE)).rejects.toEqual(new PasskeysNotConfigured());
});

test('asks the limiter by address, as nobody is known', async () => {
  expect(tests.identity.limiter.asked).toEqual([['auth_login', 'ip:2001:db8:0:0::/64']]);
  tests.identity.limiter.asked.length = 0;
  await tests.complete(challenge, shown());
  expect(tests.identity.limiter.asked).toEqual([
    ['auth_mfa', expect.stringMatching(/^challenge:/)],
    ['auth_login', 'ip:2001:db8:0:0::/64'],
  ]);
  tests.identity.limiter.deny = (identifier) => (identifier.startsWith('ip:') ? 2500 : null);
  await expect(begin()).rejects.toEqual(new RateLimited(2500));
});
