import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { ReauthenticationRequired } from '../domain/challenges/errors.ts';
import { changePassword } from '../domain/credentials/change-password.ts';
import { confirmPasswordReset } from '../domain/credentials/confirm-password-reset.ts';
import { requestPasswordReset } from '../domain/credentials/request-password-reset.ts';
import { revokeSession } from '../domain/revoke-session.ts';
import { beginTotpEnrollment } from '../domain/second-factors/begin-totp-enrollment.ts';
import { confirmTotpEnrollment } from '../domain/second-factors/confirm-totp-enrollment.ts';
import { deletePasskey } from '../domain/second-factors/delete-passkey.ts';
import { finishPasskeyRegistration } from '../domain/second-factors/finish-passkey-registration.ts';
import { regenerateRecoveryCodes } from '../domain/second-factors/regenerate-recovery-codes.ts';
import { removeTotp } from '../domain/second-factors/remove-totp.ts';
import { TestChallenges, totp } from './testing-challenges.ts';
import { NEW_PASSWORD } from './testing-credentials.ts';
import { DEVICE, email, PASSWORD } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import type { BegunRegistration } from './testing-passkeys.ts';
import type { TestSignIn } from './testing-second-factors.ts';

let db: TestOrm;
let tests: TestChallenges;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  tests = await TestChallenges.open(db);
});

/** What rows of an account a change could touch. */
const kept = async () =>
  await Promise.all(
    ['totp_authenticators', 'passkeys', 'recovery_codes', 'auth_challenges', 'security_events'].map((table) =>
      db.rows(`select * from user_service.${table} order by id`),
    ),
  );

describe('who shows a password only, while the account gets its first second factor, does not', () => {
  const changes: Record<string, (signedIn: TestSignIn, begun: BegunRegistration) => Promise<unknown>> = {
    'begin to enroll another app': (signedIn) => beginTotpEnrollment(tests.factors.deps, signedIn),
    'put another app into its place': (signedIn) =>
      confirmTotpEnrollment(tests.factors.deps, { ...signedIn, code: '123456' }),
    'remove the app': (signedIn) => removeTotp(tests.factors.deps, signedIn),
    'read recovery codes': (signedIn) => regenerateRecoveryCodes(tests.factors.deps, signedIn),
    'begin to register a passkey': (signedIn) => tests.passkeys.begin(signedIn),
    'finish to register a passkey': (signedIn, begun) =>
      tests.passkeys.finish(signedIn, begun, tests.passkeys.authenticator().register(begun.challenge)),
    'remove a passkey': (signedIn) =>
      deletePasskey(tests.passkeys.deps, { ...signedIn, passkeyId: tests.ada.id }),
  };

  test.each(Object.entries(changes))('%s', async (_what, change) => {
    const signedIn = await tests.factors.signIn(['pwd']);
    const begun = await tests.passkeys.begin(signedIn);
    await tests.factors.enroll(await tests.factors.signIn(['pwd', 'otp']));
    // As it was a moment before, when the token was looked at.
    await db.rows('update user_service.users set mfa_enabled = false');
    const before = await kept();
    const refused = await withTestClient(db.url, async (client) => {
      await client.query('begin');
      await client.query('update user_service.users set mfa_enabled = true');
      const refused = change(signedIn, begun).catch((error: unknown) => error);
      await expect.poll(waiting, { timeout: 10_000 }).toBe(1);
      await client.query('commit');
      return await refused;
    });
    expect(refused).toEqual(new ReauthenticationRequired(600, 'aal2'));
    expect(await kept()).toEqual(before);
  });
});

describe('who has the password but not the second factor does not get rid of the count of wrong codes', () => {
  beforeEach(async () => {
    const { app } = await tests.enrollApp();
    const wrong = ['000000', '111111', '222222', '333333'].find(
      (code) => ![-1, 0, 1].map((steps) => app.code(steps)).includes(code),
    );
    const challenge = await tests.challenge();
    for (let count = 0; count < 3; count += 1) {
      await expect(tests.complete(challenge, totp(wrong ?? ''))).rejects.toThrow('the proof is wrong');
    }
    expect(await tests.account()).toMatchObject({ failed_login_attempts: 3 });
  });

  test('by changing the password', async () => {
    await changePassword(
      tests.identity,
      {
        ...{ userId: tests.ada.id, currentPassword: PASSWORD, newPassword: NEW_PASSWORD },
        ...{ sessionId: null, device: DEVICE },
      },
      null,
    );
    expect(await tests.account()).toMatchObject({
      failed_login_attempts: 3,
      last_login_failure_at: expect.any(Date),
    });
  });

  test('by resetting it, which ends the lock alone', async () => {
    await requestPasswordReset(tests.identity, { email: email('ada@example.com'), device: DEVICE });
    const token = await tests.mailbox.token('reset_password');
    await db.rows(`update user_service.users set locked_until = now() + interval '1 hour'`);
    await confirmPasswordReset(tests.identity, { token, newPassword: NEW_PASSWORD, device: DEVICE }, null);
    expect(await tests.account()).toMatchObject({ failed_login_attempts: 3, locked_until: null });
  });
});

test('a session that is revoked while it adds a passkey: revoking waits, so that none comes after its answer', async () => {
  const signedIn = await tests.factors.signIn(['pwd']);
  const begun = await tests.passkeys.begin(signedIn);
  const { unitOfWork } = tests.identity;
  const written = Promise.withResolvers<void>();
  const commit = Promise.withResolvers<void>();
  const adding = finishPasskeyRegistration(
    {
      ...tests.passkeys.deps,
      unitOfWork: {
        transactional: (work) =>
          unitOfWork.transactional(async (repositories) => {
            const result = await work(repositories);
            written.resolve();
            await commit.promise;
            return result;
          }),
      },
    },
    {
      ...signedIn,
      token: begun.token,
      name: null,
      response: JSON.stringify(tests.passkeys.authenticator().register(begun.challenge)),
    },
  );
  await written.promise;
  let isRevoked = false;
  const revoking = revokeSession(tests.identity, signedIn.sessionId, {
    caller: null,
    actor: null,
    reason: null,
  }).then(() => {
    isRevoked = true;
  });
  await expect.poll(waiting, { timeout: 10_000 }).toBeGreaterThan(0);
  expect(isRevoked).toBe(false);
  commit.resolve();
  await adding;
  await revoking;
});

/** Calls that wait for a row. */
async function waiting(): Promise<number> {
  const rows = await db.rows(
    `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rows.length;
}
