import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { changePassword } from '../domain/credentials/change-password.ts';
import { trustDevice } from '../domain/devices/trust.ts';
import { TrustedDevicePolicy } from '../domain/devices/trusted-device-policy.ts';
import { InvalidCredentials } from '../domain/errors.ts';
import { PasswordHasher } from '../domain/password-hasher.ts';
import { removeTotp } from '../domain/second-factors/remove-totp.ts';
import type { Uuid } from '../domain/uuid.ts';
import { TestChallenges, totp } from './testing-challenges.ts';
import { DEVICE } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import type { TestApp } from './testing-second-factors.ts';

let db: TestOrm;
let tests: TestChallenges;
let app: TestApp;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  tests = await TestChallenges.open(db);
  ({ app } = await tests.enrollApp());
});

describe('the right password of an account with a second factor', () => {
  test('gets a challenge: no session, no sign-in time, no failure forgotten', async () => {
    await db.rows('update user_service.users set failed_login_attempts = 3, last_login_failure_at = now()');
    const { token, methods, expiresAt, passkeyOptions } = await tests.challenge();
    expect(methods).toEqual(['totp', 'recovery_code']);
    expect(passkeyOptions).toBeNull();
    expect(await tests.sessions()).toEqual([]);
    expect(await tests.account()).toMatchObject({ last_login_at: null, failed_login_attempts: 3 });
    const [kept] = await tests.challenges();
    expect(kept).toMatchObject({
      ...{ purpose: 'sign_in', user_id: tests.ada.id, session_id: null, amr: ['pwd'] },
      ...{ device_id: 'device-1', device_fingerprint: 'fp-1', attempts: 0, used_at: null },
      expires_at: expiresAt,
    });
    expect(expiresAt.getTime() - Number(kept?.['created_at'])).toBe(300_000);
    expect(JSON.stringify([kept, await tests.events()])).not.toContain(token);
    expect(await tests.events()).toMatchObject([
      {
        ...{ event_type: 'second_factor_requested', severity: 'info', user_id: tests.ada.id },
        ...{ session_id: null, metadata: { method: 'password' } },
      },
    ]);
  });

  test('is told of passkeys that can be used, the preferred factor first', async () => {
    const authenticator = await tests.registerPasskey();
    await db.rows(`update user_service.users set mfa_type = 'webauthn'`);
    const both = await tests.challenge();
    expect(both.methods).toEqual(['passkey', 'totp', 'recovery_code']);
    expect(JSON.parse(both.passkeyOptions ?? '')).toMatchObject({
      rpId: 'example.com',
      userVerification: 'preferred',
      allowCredentials: [{ id: authenticator.credentialId.toString('base64url') }],
    });
    tests.identity.relyingParty = null;
    const other = await tests.challenge();
    expect([other.methods, other.passkeyOptions]).toEqual([['totp', 'recovery_code'], null]);
  });

  test('is not told of recovery codes that are all used', async () => {
    await db.rows('update user_service.recovery_codes set used_at = now()');
    expect((await tests.challenge()).methods).toEqual(['totp']);
  });

  test('has an outdated hash replaced, and the challenge goes by the new one', async () => {
    tests.identity.hasher = new PasswordHasher({ memoryKiB: 128, passes: 1, parallelism: 1 });
    const challenge = await tests.challenge();
    expect((await tests.account())?.['password_hash']).toContain('$m=128,');
    await tests.complete(challenge, totp(app.code()));
  });

  test.each([
    ['suspended', `update user_service.users set status = 'suspended'`],
    ['deleted', `update user_service.users set status = 'deleted', deleted_at = now()`],
    ['locked', `update user_service.users set locked_until = now() + interval '1 day'`],
    ['given another password', `update user_service.users set password_hash = 'other'`],
  ])('is refused like a wrong one where the account is %s while it is checked', async (_case, change) => {
    await whileChecked(() => db.rows(change));
    await expect(tests.authenticate()).rejects.toEqual(new InvalidCredentials());
    expect(await tests.challenges()).toEqual([]);
    expect(await tests.events()).toMatchObject([
      { event_type: 'login_failed', metadata: { reason: 'account_changed' } },
    ]);
  });

  test('opens the session where the last factor was removed meanwhile', async () => {
    const signedIn = await tests.factors.signIn(['pwd', 'otp']);
    await whileChecked(() => removeTotp(tests.factors.deps, signedIn));
    expect(await tests.authenticate()).toMatchObject({
      session: { mfaVerified: false, isTrustedDevice: false, authentication: { amr: ['pwd'] } },
    });
  });
});

test('a wrong password is refused as of any account', async () => {
  await expect(tests.authenticate({ password: 'wrong' })).rejects.toEqual(new InvalidCredentials());
  expect(await tests.challenges()).toEqual([]);
  expect(await tests.account()).toMatchObject({ failed_login_attempts: 1 });
});

describe('a trusted device', () => {
  const { fingerprint } = DEVICE;

  async function trust(overrides: { readonly fingerprint?: string; readonly userId?: Uuid } = {}) {
    const at = tests.identity.now();
    const owner = { userId: tests.ada.id, roles: tests.ada.roles, email: tests.ada.email };
    const device = { ...DEVICE, fingerprint: overrides.fingerprint ?? fingerprint };
    const userId = overrides.userId ?? owner.userId;
    const trusted = await tests.identity.unitOfWork.transactional((repositories) =>
      trustDevice(repositories, tests.identity.trustedDevicePolicy, {
        ...{ ...owner, userId, sessionId: userId, device, at },
      }),
    );
    await tests.forgetPast();
    return trusted;
  }

  test('stands in for the second factor, and its use is counted', async () => {
    const { token, device } = await trust();
    expect(await tests.authenticate({ trustToken: token })).toMatchObject({
      session: {
        ...{ isTrustedDevice: true, mfaVerified: false },
        authentication: { amr: ['pwd'], acr: 'aal1' },
      },
    });
    expect(await tests.sessions()).toMatchObject([{ is_trusted_device: true, mfa_verified: false }]);
    expect(await db.rows('select use_count from user_service.trusted_devices')).toEqual([{ use_count: 1 }]);
    expect(await tests.events()).toMatchObject([
      { event_type: 'login_succeeded', metadata: { method: 'password', trusted_device_id: device.id } },
    ]);
  });

  test('never stands in for the password', async () => {
    const { token } = await trust();
    await expect(tests.authenticate({ trustToken: token, password: 'wrong' })).rejects.toEqual(
      new InvalidCredentials(),
    );
    expect(await db.rows('select use_count from user_service.trusted_devices')).toEqual([{ use_count: 0 }]);
  });

  test.each<[string, () => Promise<unknown>]>([
    [
      'has expired',
      async () => {
        tests.identity.ahead += 31 * 24 * 3_600_000;
      },
    ],
    [
      'was revoked',
      () =>
        db.rows(`update user_service.trusted_devices set revoked_at = now(), revocation_reason = 'revoked'`),
    ],
    [
      'is of a user whose role may not',
      () => db.rows(`update user_service.users set roles = '{user,admin}'`),
    ],
    [
      'is of nobody any more, by policy',
      async () =>
        Object.assign(tests.identity, {
          trustedDevicePolicy: new TrustedDevicePolicy({ lifetimeMs: 0, roles: ['user'] }),
        }),
    ],
  ])('that %s does not', async (_case, change) => {
    const { token } = await trust();
    await change();
    expect(await tests.authenticate({ trustToken: token })).toMatchObject({
      challenge: { methods: ['totp', 'recovery_code'] },
    });
    expect(await db.rows('select use_count from user_service.trusted_devices')).toEqual([{ use_count: 0 }]);
  });

  test('that is unknown or of somebody else does not', async () => {
    const eve = await tests.identity.register('eve@example.com');
    const { token } = await trust({ userId: eve.id });
    for (const trustToken of [token, 'made-up', `${token}x`]) {
      expect(await tests.authenticate({ trustToken })).toMatchObject({ challenge: {} });
    }
    expect(await tests.eventTypes()).toEqual(Array<string>(3).fill('second_factor_requested'));
  });

  test('whose token another device shows does not, and that is recorded', async () => {
    const { token } = await trust({ fingerprint: 'another' });
    expect(await tests.authenticate({ trustToken: token })).toMatchObject({ challenge: {} });
    expect((await tests.eventTypes()).toSorted()).toEqual([
      'second_factor_requested',
      'trusted_device_mismatch',
    ]);
  });

  test('does not where the sign-in does not fit the user', async () => {
    const { token } = await trust();
    await respond('step_up');
    expect(await tests.authenticate({ trustToken: token })).toMatchObject({ challenge: {} });
    expect(await tests.eventTypes()).toContain('new_device');
  });

  test('loses its trust with a change of the password', async () => {
    const { token } = await trust();
    await changePassword(
      tests.identity,
      {
        ...{ userId: tests.ada.id, currentPassword: 'correct horse battery' },
        ...{ newPassword: 'a quite different horse', sessionId: null, device: DEVICE },
      },
      null,
    );
    expect(
      await tests.authenticate({ trustToken: token, password: 'a quite different horse' }),
    ).toMatchObject({ challenge: {} });
    expect(await db.rows('select revocation_reason from user_service.trusted_devices')).toEqual([
      { revocation_reason: 'password_changed' },
    ]);
  });
});

describe('a sign-in that does not fit and locks', () => {
  test('is refused like a wrong password, though it was right, and locks the account', async () => {
    await respond('lock');
    await expect(tests.authenticate()).rejects.toEqual(new InvalidCredentials());
    expect((await tests.challenges()).filter((challenge) => challenge['used_at'] === null)).toEqual([]);
    const { locked_until: until } = (await tests.account()) as { locked_until: Date };
    expect(until > tests.identity.now()).toBe(true);
    expect(await tests.events()).toContainEqual(
      expect.objectContaining({
        event_type: 'login_failed',
        metadata: { method: 'password', reason: 'detection_lock' },
      }),
    );
    await expect(tests.authenticate()).rejects.toEqual(new InvalidCredentials());
  });
});

/** Has sign-ins on new devices answered like this: all but the one on which there was one already. */
async function respond(response: 'step_up' | 'lock'): Promise<void> {
  const device = { ...DEVICE, id: 'known', fingerprint: 'known' };
  await tests.complete(await tests.challenge(device), totp(app.code()), { device });
  Object.assign(tests.identity.detectionPolicy.responses, { new_device: response });
}

/** Has something happen between the check of the next password and what comes of it. */
async function whileChecked(happening: () => Promise<unknown>): Promise<void> {
  const check = tests.identity.hasher.check.bind(tests.identity.hasher);
  vi.spyOn(tests.identity.hasher, 'check').mockImplementationOnce(async (...args) => {
    const checked = await check(...args);
    await happening();
    return checked;
  });
}
