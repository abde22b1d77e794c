import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OpenedChallenge } from '../domain/challenges/begin-challenge.ts';
import { InvalidChallenge } from '../domain/challenges/errors.ts';
import { changePassword } from '../domain/credentials/change-password.ts';
import { confirmPasswordReset } from '../domain/credentials/confirm-password-reset.ts';
import { NO_DEVICE } from '../domain/credentials/no-device.ts';
import { requestPasswordReset } from '../domain/credentials/request-password-reset.ts';
import { RateLimited } from '../domain/errors.ts';
import { refresh } from '../domain/refresh.ts';
import { SecondFactorRefused } from '../domain/second-factors/errors.ts';
import { deleteUser } from '../domain/users/delete-user.ts';
import { suspendUser } from '../domain/users/suspend-user.ts';
import { RefreshTokenFamilyRepository } from './refresh-token-family-repository.ts';
import { TestChallenges, totp } from './testing-challenges.ts';
import { DEVICE, email, PASSWORD } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import type { TestApp } from './testing-second-factors.ts';

const WRONG = '000000';

let db: TestOrm;
let tests: TestChallenges;
let app: TestApp;
let recoveryCodes: readonly string[];
let challenge: OpenedChallenge;
beforeAll(async () => {
  // Races wait for each other: longer than a caller would.
  db = await openTestOrm({ connectTimeoutMs: 60_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  tests = await TestChallenges.open(db);
  ({ app, recoveryCodes } = await tests.enrollApp());
  challenge = await tests.challenge();
  await db.rows('truncate user_service.security_events');
  tests.identity.limiter.asked.length = 0;
});

/** A code that is none of those that are good. */
const wrong = () => totp([-1, 0, 1].map((step) => app.code(step)).includes(WRONG) ? '000001' : WRONG);

describe('the right proof', () => {
  test('opens the session: with two factors, in its token too', async () => {
    await db.rows('update user_service.users set failed_login_attempts = 3, last_login_failure_at = now()');
    const { user, session, accessToken, refreshToken, trust } = await tests.complete(
      challenge,
      totp(app.code()),
    );
    expect(session).toMatchObject({
      ...{ userId: tests.ada.id, device: DEVICE, mfaVerified: true, isTrustedDevice: false },
      authentication: { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', authenticatedAt: session.createdAt },
    });
    expect(user).toMatchObject({ id: tests.ada.id, mfaEnabled: true, lastLoginAt: session.createdAt });
    expect(decodeJwt(accessToken.token)).toMatchObject({
      ...{ sub: tests.ada.id, sid: session.id, amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' },
      auth_time: Math.floor(session.createdAt.getTime() / 1000),
    });
    expect(await tests.sessions()).toMatchObject([
      { id: session.id, amr: ['pwd', 'otp', 'mfa'], mfa_verified: true, authenticated_at: session.createdAt },
    ]);
    expect(await tests.account()).toMatchObject({
      failed_login_attempts: 0,
      last_login_at: session.createdAt,
    });
    expect(await tests.challenges()).toMatchObject([{ used_at: session.createdAt }]);
    expect(await tests.events()).toMatchObject([
      {
        ...{ event_type: 'login_succeeded', session_id: session.id },
        metadata: { method: 'password', second_factor: 'totp' },
      },
    ]);
    expect([refreshToken?.expiresAt, trust]).toEqual([session.expiresAt, null]);
  });

  test('is told of by the next tokens of the session too', async () => {
    const { refreshToken, session } = await tests.complete(challenge, totp(app.code()));
    const { identity } = tests;
    const deps = {
      ...{ limiter: identity.limiter, families: new RefreshTokenFamilyRepository(db.orm.em) },
      ...{ sessionPolicy: identity.sessionPolicy, sessionActivity: identity.sessionActivity },
      ...{
        unitOfWork: identity.unitOfWork,
        accessTokens: identity.accessTokens,
        graceMs: 0,
        now: identity.now,
      },
      detectionPolicy: identity.detectionPolicy,
    };
    identity.ahead += 600_000;
    const { accessToken } = await refresh(deps, { token: refreshToken?.token ?? '', device: DEVICE });
    expect(decodeJwt(accessToken.token)).toMatchObject({
      ...{ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' },
      auth_time: Math.floor(session.createdAt.getTime() / 1000),
    });
  });

  test('may be a passkey', async () => {
    const authenticator = await tests.registerPasskey();
    const begun = await tests.challenge();
    const { session } = await tests.complete(begun, tests.assertion(begun, authenticator));
    expect(session.authentication.amr).toEqual(['pwd', 'hwk', 'user', 'mfa']);
    expect((await tests.events()).at(-1)).toMatchObject({ metadata: { second_factor: 'passkey' } });
  });

  test('may be a recovery code, once, which its owner is told', async () => {
    const [code = ''] = recoveryCodes;
    const proof = { method: 'recovery_code', code: code.toLowerCase() } as const;
    const { session } = await tests.complete(challenge, proof);
    expect(session).toMatchObject({ mfaVerified: true, authentication: { amr: ['pwd', 'otp', 'mfa'] } });
    expect(await tests.events()).toMatchObject([
      { event_type: 'recovery_code_used', severity: 'medium', session_id: session.id, metadata: { left: 9 } },
      { event_type: 'login_succeeded', metadata: { second_factor: 'recovery_code' } },
    ]);
    expect(await tests.mailbox.receive()).toMatchObject([
      { to: 'Ada@example.com', message: { template: 'recovery_code_used', left: 9 } },
    ]);
    expect(JSON.stringify(await tests.events())).not.toContain(code);
    await expect(tests.complete(await tests.challenge(), proof)).rejects.toBeInstanceOf(SecondFactorRefused);
  });

  test.each(['sessions_history', 'security_events'])(
    'changes nothing where %s can not be written: it is as good afterwards',
    async (table) => {
      await db.rows(`alter table user_service.${table} add constraint test_refuses check (false) not valid`);
      const code = app.code();
      try {
        await expect(tests.complete(challenge, totp(code))).rejects.toMatchObject({
          constraint: 'test_refuses',
        });
      } finally {
        await db.rows(`alter table user_service.${table} drop constraint test_refuses`);
      }
      expect(await tests.challenges()).toMatchObject([{ attempts: 0, used_at: null }]);
      await tests.complete(challenge, totp(code));
    },
  );
});

describe('a wrong proof', () => {
  test('is counted against the challenge and the account; five end the one and lock the other', async () => {
    for (const attemptsLeft of [4, 3, 2, 1, 0]) {
      await expect(tests.complete(challenge, wrong())).rejects.toEqual(new SecondFactorRefused(attemptsLeft));
    }
    await expect(tests.complete(challenge, totp(app.code()))).rejects.toEqual(new InvalidChallenge());
    expect(await tests.account()).toMatchObject({ failed_login_attempts: 5, last_login_at: null });
    const events = await tests.events();
    expect(events.filter((event) => event['event_type'] === 'login_failed')).toEqual(
      Array.from({ length: 5 }, () =>
        expect.objectContaining({
          ...{ user_id: tests.ada.id, severity: 'low' },
          metadata: { method: 'totp', reason: 'second_factor_wrong' },
        }),
      ),
    );
    expect(await tests.eventTypes()).toContain('account_locked');
    await expect(tests.authenticate()).rejects.toThrow('wrong');
  });

  test('leaves the challenge to the right one', async () => {
    await expect(tests.complete(challenge, wrong())).rejects.toEqual(new SecondFactorRefused(4));
    await tests.complete(challenge, totp(app.code()));
  });

  test.each(['password', 'recovery_code', 'passkey'] as const)('may be a %s', async (method) => {
    const proofs = {
      password: { method: 'password', password: PASSWORD },
      recovery_code: { method: 'recovery_code', code: '000000-000000-000000-000000' },
      passkey: { method: 'passkey', response: '{}' },
    } as const;
    await expect(tests.complete(challenge, proofs[method])).rejects.toEqual(new SecondFactorRefused(4));
    expect(await tests.events()).toMatchObject([{ event_type: 'login_failed', metadata: { method } }]);
    expect(await tests.account()).toMatchObject({ failed_login_attempts: 1 });
  });

  test('of somebody else proves nothing', async () => {
    const authenticator = await tests.registerPasskey();
    const eve = await tests.identity.register('eve@example.com');
    const stranger = tests.passkeys.authenticator(eve.id);
    await tests.passkeys.register(await tests.factors.signIn(['pwd', 'otp'], eve), stranger);
    const begun = await tests.challenge();
    await expect(tests.complete(begun, tests.assertion(begun, stranger))).rejects.toBeInstanceOf(
      SecondFactorRefused,
    );
    const other = await tests.challenge();
    await expect(tests.complete(begun, tests.assertion(other, authenticator))).rejects.toBeInstanceOf(
      SecondFactorRefused,
    );
    await tests.complete(begun, tests.assertion(begun, authenticator));
  });

  test('by a passkey that was copied is recorded, though it is refused', async () => {
    const authenticator = await tests.registerPasskey();
    const use = async (signCount: number) => {
      const begun = await tests.challenge();
      return await tests.complete(begun, tests.assertion(begun, authenticator, { signCount }));
    };
    await use(7);
    await expect(use(3)).rejects.toBeInstanceOf(SecondFactorRefused);
    expect(await tests.eventTypes()).toEqual(expect.arrayContaining(['passkey_cloned', 'login_failed']));
  });
});

describe('a challenge is not good', () => {
  const refused = async (completing: Promise<unknown>) => {
    await expect(completing).rejects.toEqual(new InvalidChallenge());
    expect((await tests.sessions()).length).toBe(0);
  };

  test('twice', async () => {
    await tests.complete(challenge, totp(app.code()));
    tests.factors.passSteps();
    await expect(tests.complete(challenge, totp(app.code()))).rejects.toEqual(new InvalidChallenge());
    expect(await tests.sessions()).toHaveLength(1);
  });

  test('that is unknown', async () => {
    await refused(tests.complete({ token: 'made-up' }, totp(app.code())));
    expect(await tests.events()).toEqual([]);
  });

  test('after its time', async () => {
    tests.identity.ahead += 300_000;
    await refused(tests.complete(challenge, totp(app.code())));
  });

  test.each([
    ['id', { ...DEVICE, id: 'device-2' }],
    ['fingerprint', { ...DEVICE, fingerprint: 'fp-2' }],
    ['silence', NO_DEVICE],
  ])('on a device of another %s, which counts for nothing', async (_part, device) => {
    await refused(tests.complete(challenge, totp(app.code()), { device }));
    expect(await tests.challenges()).toMatchObject([{ attempts: 0, used_at: null }]);
    await tests.complete(challenge, totp(app.code()), {
      device: { ...DEVICE, ipAddress: null, userAgent: null },
    });
  });

  test.each<[string, () => Promise<unknown>]>([
    ['was changed', () => changed('changePassword')],
    ['was reset', () => changed('resetPassword')],
    ['was changed by hand', () => db.rows(`update user_service.users set password_hash = 'other'`)],
  ])('where the password %s meanwhile', async (_case, change) => {
    await change();
    await refused(tests.complete(challenge, totp(app.code())));
  });

  test.each<[string, () => Promise<unknown>]>([
    ['suspended', () => changed('suspendUser')],
    ['deleted', () => changed('deleteUser')],
    ['suspended by hand', () => db.rows(`update user_service.users set status = 'suspended'`)],
    [
      'deleted by hand',
      () => db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`),
    ],
    ['locked', () => db.rows(`update user_service.users set locked_until = now() + interval '1 day'`)],
  ])('where the account was %s meanwhile', async (_case, change) => {
    await change();
    await refused(tests.complete(challenge, totp(app.code())));
    expect(await tests.challenges()).toMatchObject([{ attempts: 0 }]);
  });

  test.each([
    ['changePassword', 'password_changed'],
    ['resetPassword', 'password_reset'],
    ['suspendUser', 'user_suspended'],
    ['deleteUser', 'user_deleted'],
  ] as const)('after %s, which takes the trust from devices as well', async (how, reason) => {
    const { trust } = await tests.complete(challenge, totp(app.code()), { wantsTrust: true });
    await changed(how);
    expect(await db.rows('select revocation_reason from user_service.trusted_devices')).toEqual([
      { revocation_reason: reason },
    ]);
    expect(await tests.authenticate({ trustToken: trust?.token ?? '' })).toMatchObject({ challenge: {} });
  });

  test('of a passkey registration', async () => {
    const { token } = await tests.passkeys.begin(await tests.factors.signIn(['pwd', 'otp']));
    await expect(tests.complete({ token }, totp(app.code()))).rejects.toEqual(new InvalidChallenge());
  });

  /** By the use case, all of whose checks of the account but that of the challenge itself are then undone. */
  async function changed(how: 'changePassword' | 'resetPassword' | 'suspendUser' | 'deleteUser') {
    const { identity, ada } = tests;
    const hash = (await tests.account())?.['password_hash'];
    const newPassword = 'a quite different horse';
    const origin = { caller: 'console', actor: null, reason: null };
    const admin = { id: ada.id, etag: null, requestKey: null, origin };
    switch (how) {
      case 'changePassword': {
        const change = {
          userId: ada.id,
          currentPassword: PASSWORD,
          newPassword,
          sessionId: null,
          device: DEVICE,
        };
        await changePassword(identity, change, null);
        break;
      }
      case 'resetPassword': {
        const address = email('ada@example.com');
        await requestPasswordReset(identity, { email: address, device: DEVICE });
        const token = await tests.mailbox.token('reset_password');
        await confirmPasswordReset(identity, { token, newPassword, device: DEVICE }, null);
        break;
      }
      case 'suspendUser':
        await suspendUser(identity, admin);
        break;
      case 'deleteUser':
        await deleteUser(identity, admin);
        break;
    }
    await db.rows(
      `update user_service.users set status = 'active', deleted_at = null, status_before_delete = null, password_hash = $1`,
      [hash],
    );
  }
});

describe('of a thousand at once', () => {
  const together = async (proof: () => ReturnType<typeof totp>) => {
    const results = await Promise.allSettled(
      Array.from({ length: 1000 }, () => tests.complete(challenge, proof())),
    );
    const reasons = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as Error] : [],
    );
    return { succeeded: 1000 - reasons.length, reasons: reasons.map(({ name }) => name) };
  };

  test('with the right proof one opens a session', async () => {
    const code = app.code();
    const { succeeded, reasons } = await together(() => totp(code));
    expect(succeeded).toBe(1);
    expect(new Set(reasons)).toEqual(new Set(['InvalidChallenge']));
    expect(await tests.sessions()).toHaveLength(1);
    expect(await tests.eventTypes()).toEqual(['login_succeeded']);
  }, 120_000);

  test('with wrong ones five are looked at', async () => {
    Object.assign(tests.deps.lockout.account, { threshold: 1000 });
    const { reasons } = await together(wrong);
    expect(reasons.filter((name) => name === 'SecondFactorRefused')).toHaveLength(5);
    expect(reasons.filter((name) => name === 'InvalidChallenge')).toHaveLength(995);
    expect(await tests.challenges()).toMatchObject([{ attempts: 5 }]);
    expect(await tests.account()).toMatchObject({ failed_login_attempts: 5 });
    expect(await tests.eventTypes()).toEqual(Array<string>(5).fill('login_failed'));
  }, 120_000);
});

test('of two challenges with one code one opens a session', async () => {
  const other = await tests.challenge();
  const code = app.code();
  const results = await Promise.allSettled([challenge, other].map((one) => tests.complete(one, totp(code))));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await tests.sessions()).toHaveLength(1);
});

test('waits for a change of the password that is under way, and neither for the other for ever', async () => {
  const { ada, identity } = tests;
  const checkedHash = String((await tests.account())?.['password_hash']);
  let completing: Promise<unknown> | undefined;
  await identity.unitOfWork.transactional(async ({ credentials, challenges }) => {
    const at = identity.now();
    await credentials.changePassword({ userId: ada.id, checkedHash, newHash: 'other', at });
    completing = tests.complete(challenge, totp(app.code())).catch((error: unknown) => error);
    await sleep(300);
    await challenges.endOpen(ada.id, at);
  });
  expect(await completing).toEqual(new InvalidChallenge());
  expect(await tests.sessions()).toEqual([]);
});

describe('asks the limiter', () => {
  const key = () => {
    const hash = createHash('sha256').update(challenge.token).digest();
    return `challenge:${createHash('sha256').update('optix.challenge\0').update(hash).digest('base64url')}`;
  };

  test('by challenge and by user', async () => {
    await tests.complete(challenge, totp(app.code()));
    expect(tests.identity.limiter.asked).toEqual([
      ['auth_mfa', key()],
      ['auth_mfa', `user:${tests.ada.id}`],
    ]);
  });

  test.each(['challenge:', 'user:'])('and a denial for %s ends it: no proof is looked at', async (prefix) => {
    tests.identity.limiter.deny = (identifier) => (identifier.startsWith(prefix) ? 2500 : null);
    await expect(tests.complete(challenge, totp(app.code()))).rejects.toEqual(new RateLimited(2500));
    expect(await tests.challenges()).toMatchObject([{ attempts: 0, used_at: null }]);
  });
});

describe('a device that is to be trusted', () => {
  test('gets a token that stands in for the second factor the next time', async () => {
    const { trust, session } = await tests.complete(challenge, totp(app.code()), { wantsTrust: true });
    expect(trust?.expiresAt.getTime()).toBe(session.createdAt.getTime() + 30 * 24 * 3_600_000);
    expect(await tests.authenticate({ trustToken: trust?.token ?? '' })).toMatchObject({
      session: { isTrustedDevice: true, mfaVerified: false },
    });
    expect(
      JSON.stringify([await tests.events(), await db.rows('select * from user_service.trusted_devices')]),
    ).not.toContain(trust?.token);
  });

  test('gets none where the policy does not allow it', async () => {
    await db.rows(`update user_service.users set roles = '{admin}'`);
    const { trust } = await tests.complete(challenge, totp(app.code()), { wantsTrust: true });
    expect(trust).toBeNull();
    expect(await db.rows('select from user_service.trusted_devices')).toEqual([]);
  });
});
