import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { confirmTotpEnrollment } from '../domain/second-factors/confirm-totp-enrollment.ts';
import { SecondFactorNotEnabled } from '../domain/second-factors/errors.ts';
import { listSecondFactors } from '../domain/second-factors/list-second-factors.ts';
import { regenerateRecoveryCodes } from '../domain/second-factors/regenerate-recovery-codes.ts';
import { removeTotp } from '../domain/second-factors/remove-totp.ts';
import type { SecondFactorDeps } from '../domain/second-factors/second-factor-deps.ts';
import { accountIn, eventsIn } from './testing-credentials.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestSecondFactors } from './testing-second-factors.ts';

let db: TestOrm;
let factors: TestSecondFactors;
beforeAll(async () => {
  db = await openTestOrm({ connectTimeoutMs: 30_000 });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  factors = await TestSecondFactors.open(db);
});

const account = () => accountIn(db);
const events = async () =>
  (await eventsIn(db)).filter(({ event_type: type }) => type !== 'totp_enrollment_begun');
const list = () => listSecondFactors(factors.deps, factors.ada.id);
const strong = () => factors.signIn(['pwd', 'otp']);
const count = async (table: string, condition = 'true') =>
  (await db.rows(`select 1 from user_service.${table} where ${condition}`)).length;

describe('beside a passkey', () => {
  test('an authenticator app is a second one: the first stays preferred, and no new codes are made', async () => {
    expect(await factors.addPasskey()).toHaveLength(10);
    expect(await list()).toMatchObject({ preferred: 'webauthn', passkeys: [{ name: 'Laptop' }] });
    const { recoveryCodes } = await factors.enroll(await strong());
    expect(recoveryCodes).toEqual([]);
    await factors.addPasskey();
    const { passkeys, ...rest } = await list();
    expect(rest).toEqual({ totpSince: expect.any(Date), recoveryCodesLeft: 10, preferred: 'webauthn' });
    expect(passkeys).toHaveLength(2);
    expect(passkeys[0]?.createdAt.getTime()).toBeLessThan(passkeys[1]?.createdAt.getTime() ?? 0);
  });

  test('what is left is preferred, and recovery codes stay while anything is left', async () => {
    await factors.enroll(await factors.signIn());
    await factors.addPasskey();
    expect((await list()).preferred).toBe('totp');
    await removeTotp(factors.deps, await strong());
    expect(await list()).toMatchObject({ totpSince: null, recoveryCodesLeft: 10, preferred: 'webauthn' });
    expect(await account()).toMatchObject({ mfa_enabled: true, mfa_type: 'webauthn' });
    await factors.removePasskeys();
    expect(await list()).toMatchObject({ recoveryCodesLeft: 0, preferred: null });
    expect(await account()).toMatchObject({ mfa_enabled: false, mfa_type: null });
  });

  test('of the first two factors that are added at once, one brings recovery codes, and they work', async () => {
    // One that may go on whichever comes first: with a password alone the second is refused.
    const signedIn = await strong();
    const app = await factors.beginEnrollment(signedIn);
    const { unitOfWork } = factors.identity;
    let passkey: Promise<readonly string[]> = Promise.resolve([]);
    const deps: SecondFactorDeps = {
      ...factors.deps,
      unitOfWork: {
        // Once the token was found good: that of an account without a second factor.
        transactional: (work) => {
          passkey = factors.addPasskey();
          return unitOfWork.transactional(work);
        },
      },
    };
    const sets = [await confirmTotpEnrollment(deps, { ...signedIn, code: app.code() }), await passkey];
    expect(sets.map((codes) => codes.length).sort((a, b) => a - b)).toEqual([0, 10]);
    expect(await count('recovery_codes')).toBe(10);
  });
});

describe('recovery codes that are made anew', () => {
  test('are recorded and told of', async () => {
    const { recoveryCodes } = await factors.enroll(await factors.signIn());
    await factors.mailbox.receive();
    const fresh = await regenerateRecoveryCodes(factors.deps, await strong());
    expect(new Set([...recoveryCodes, ...fresh]).size).toBe(20);
    expect((await events()).at(-1)).toMatchObject({
      event_type: 'recovery_codes_made',
      severity: 'low',
      metadata: { count: 10 },
    });
    expect(await factors.mailbox.receive()).toMatchObject([{ message: { template: 'recovery_codes_made' } }]);
  });

  test('are not made where there is no second factor', async () => {
    const refused = regenerateRecoveryCodes(factors.deps, await factors.signIn());
    await expect(refused).rejects.toBeInstanceOf(SecondFactorNotEnabled);
    expect(await count('recovery_codes')).toBe(0);
  });
});

test('erasing a user leaves nothing of their second factors', async () => {
  await factors.enroll(await factors.signIn());
  await factors.addPasskey();
  await db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`);
  await factors.identity.unitOfWork.transactional(async ({ users }) => {
    const user = await users.hold(factors.ada.id);
    if (user !== null) await users.erase(user);
  });
  for (const table of ['users', 'totp_authenticators', 'passkeys', 'recovery_codes']) {
    expect(await count(table)).toBe(0);
  }
});
