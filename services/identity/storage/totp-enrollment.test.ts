import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ReauthenticationRequired } from '../domain/challenges/errors.ts';
import { RateLimited } from '../domain/errors.ts';
import { confirmTotpEnrollment } from '../domain/second-factors/confirm-totp-enrollment.ts';
import {
  SecondFactorNotFound,
  SecondFactorRefused,
  TotpNotEnrolling,
} from '../domain/second-factors/errors.ts';
import { listSecondFactors } from '../domain/second-factors/list-second-factors.ts';
import { removeTotp } from '../domain/second-factors/remove-totp.ts';
import { accountIn, eventsIn } from './testing-credentials.ts';
import { DEVICE } from './testing-identity.ts';
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

describe('an authenticator app', () => {
  test('is set up by its code, and comes with recovery codes where it is the first factor', async () => {
    const signedIn = await factors.signIn();
    const { recoveryCodes } = await factors.enroll(signedIn);
    expect(recoveryCodes).toHaveLength(10);
    expect(await account()).toMatchObject({
      mfa_enabled: true,
      mfa_type: 'totp',
      version: factors.ada.version + 1,
    });
    expect(await list()).toEqual({
      totpSince: expect.any(Date),
      passkeys: [],
      recoveryCodesLeft: 10,
      preferred: 'totp',
    });
    expect(await eventsIn(db)).toMatchObject([
      { event_type: 'totp_enrollment_begun', severity: 'info', ip_address: DEVICE.ipAddress },
      {
        event_type: 'second_factor_added',
        severity: 'low',
        user_id: factors.ada.id,
        session_id: signedIn.sessionId,
        ip_address: DEVICE.ipAddress,
        metadata: { factor: 'totp', replaced: false },
      },
    ]);
    expect(await factors.mailbox.receive()).toMatchObject([
      { to: 'Ada@example.com', message: { template: 'second_factor_added', factor: 'totp' } },
    ]);
  });

  test('is not set up by a wrong code, which changes nothing', async () => {
    const signedIn = await factors.signIn();
    const app = await factors.beginEnrollment(signedIn);
    for (const code of [app.code(5), '', 'abcdef']) {
      const refused = confirmTotpEnrollment(factors.deps, { ...signedIn, code });
      await expect(refused).rejects.toBeInstanceOf(SecondFactorRefused);
    }
    expect(await account()).toMatchObject({ mfa_enabled: false, version: factors.ada.version });
    expect(await events()).toEqual([]);
    expect(await factors.mailbox.receive()).toEqual([]);
    await confirmTotpEnrollment(factors.deps, { ...signedIn, code: app.code() });
  });

  test('is confirmed once: of 100 confirmations at once, one gets the recovery codes', async () => {
    const signedIn = await factors.signIn();
    const app = await factors.beginEnrollment(signedIn);
    const confirmation = { ...signedIn, code: app.code() };
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, () => confirmTotpEnrollment(factors.deps, confirmation)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      // Those who came after the first one need a second factor already.
      if (result.status === 'rejected') {
        expect([TotpNotEnrolling, ReauthenticationRequired]).toContain(result.reason.constructor);
      }
    }
    expect(await events()).toHaveLength(1);
    expect((await list()).recoveryCodesLeft).toBe(10);
  });

  test('can be confirmed for ten minutes', async () => {
    const signedIn = await factors.signIn();
    await expect(confirmTotpEnrollment(factors.deps, { ...signedIn, code: '123456' })).rejects.toBeInstanceOf(
      TotpNotEnrolling,
    );
    const app = await factors.beginEnrollment(signedIn);
    factors.identity.ahead += 600_001;
    const later = await factors.signIn();
    const refused = confirmTotpEnrollment(factors.deps, { ...later, code: app.code() });
    await expect(refused).rejects.toBeInstanceOf(TotpNotEnrolling);
  });

  test('is confirmed by who is within the limit of auth_mfa for the user', async () => {
    const signedIn = await factors.signIn();
    const app = await factors.beginEnrollment(signedIn);
    factors.identity.limiter.asked.length = 0;
    factors.identity.limiter.deny = () => 900;
    const refused = confirmTotpEnrollment(factors.deps, { ...signedIn, code: app.code() });
    await expect(refused).rejects.toEqual(new RateLimited(900));
    expect(factors.identity.limiter.asked).toEqual([['auth_mfa', `user:${factors.ada.id}`]]);
  });

  test('in the place of another ends the trust in devices and keeps the recovery codes', async () => {
    const { recoveryCodes } = await factors.enroll(await factors.signIn());
    await factors.trustDevice();
    const { recoveryCodes: second } = await factors.enroll(await strong());
    expect([recoveryCodes.length, second.length, (await list()).recoveryCodesLeft]).toEqual([10, 0, 10]);
    expect(await count('trusted_devices', 'revoked_at is null')).toBe(0);
    expect((await events()).at(-1)).toMatchObject({ metadata: { factor: 'totp', replaced: true } });
  });

  test('that goes as the last factor takes recovery codes and trusted devices with it', async () => {
    await factors.enroll(await factors.signIn());
    await factors.trustDevice();
    await factors.beginEnrollment(await strong());
    await factors.mailbox.receive();
    await removeTotp(factors.deps, await strong());
    expect(await account()).toMatchObject({ mfa_enabled: false, mfa_type: null });
    expect(await list()).toEqual({ totpSince: null, passkeys: [], recoveryCodesLeft: 0, preferred: null });
    expect(await count('totp_authenticators')).toBe(0);
    expect(await db.rows('select revocation_reason from user_service.trusted_devices')).toEqual([
      { revocation_reason: 'second_factor_removed' },
    ]);
    expect((await events()).at(-1)).toMatchObject({
      event_type: 'second_factor_removed',
      severity: 'medium',
      metadata: { factor: 'totp' },
    });
    expect(await factors.mailbox.receive()).toMatchObject([
      { message: { template: 'second_factor_removed', factor: 'totp' } },
    ]);
    await expect(removeTotp(factors.deps, await factors.signIn())).rejects.toBeInstanceOf(
      SecondFactorNotFound,
    );
  });

  test('that only waits can not be removed, and goes on waiting', async () => {
    const signedIn = await factors.signIn();
    const app = await factors.beginEnrollment(signedIn);
    await expect(removeTotp(factors.deps, signedIn)).rejects.toBeInstanceOf(SecondFactorNotFound);
    await confirmTotpEnrollment(factors.deps, { ...signedIn, code: app.code() });
  });
});
