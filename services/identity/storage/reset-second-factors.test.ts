import { randomBytes } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RequestIdReused, UserNotFound } from '../domain/errors.ts';
import { listSecondFactors } from '../domain/second-factors/list-second-factors.ts';
import { resetSecondFactors } from '../domain/second-factors/reset-second-factors.ts';
import type { Uuid } from '../domain/uuid.ts';
import { accountIn, eventsIn, KEY, liveSessionsIn } from './testing-credentials.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestSecondFactors } from './testing-second-factors.ts';
import { ORIGIN } from './users/testing-users.ts';

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

describe('a reset by an operator', () => {
  const reset = (requestKey: typeof KEY | null = null, userId = factors.ada.id) =>
    resetSecondFactors(factors.deps, { userId, origin: ORIGIN, requestKey });

  test('removes everything that could be shown, and ends all sessions', async () => {
    await factors.enroll(await factors.signIn());
    await factors.addPasskey();
    await factors.trustDevice();
    await factors.beginEnrollment(await strong());
    await factors.mailbox.receive();
    expect(await reset()).toBe(2);
    expect(await list()).toEqual({ totpSince: null, passkeys: [], recoveryCodesLeft: 0, preferred: null });
    expect(await account()).toMatchObject({ mfa_enabled: false, mfa_type: null });
    expect(await count('totp_authenticators')).toBe(0);
    expect(await liveSessionsIn(db)).toEqual([]);
    expect(factors.identity.revoked).toMatchObject([
      { kind: 'session', reason: 'second_factors_reset' },
      { kind: 'session', reason: 'second_factors_reset' },
    ]);
    expect(await db.rows('select revocation_reason from user_service.trusted_devices')).toEqual([
      { revocation_reason: 'second_factors_reset' },
    ]);
    expect((await events()).at(-1)).toMatchObject({
      event_type: 'second_factors_reset',
      severity: 'high',
      user_id: factors.ada.id,
      metadata: { ...ORIGIN, totp: true, passkeys: 1, trusted_devices: 1 },
    });
    expect(await factors.mailbox.receive()).toMatchObject([
      { message: { template: 'second_factor_removed', factor: 'all' } },
    ]);
  });

  test('ends open challenges', async () => {
    const at = factors.identity.now();
    await factors.identity.unitOfWork.transactional(({ challenges }) =>
      challenges.insert({
        ...{ id: uuidV7() as Uuid, tokenHash: randomBytes(32), purpose: 'sign_in', userId: factors.ada.id },
        ...{ sessionId: null, passwordDigest: null, amr: ['pwd'], device: { id: null, fingerprint: null } },
        ...{ webauthnChallenge: randomBytes(32), createdAt: at, expiresAt: new Date(at.getTime() + 60_000) },
      }),
    );
    await reset();
    expect(await count('auth_challenges', 'used_at is null')).toBe(0);
  });

  test('is done once for a request', async () => {
    await factors.enroll(await factors.signIn());
    expect(await reset(KEY)).toBe(1);
    await factors.signIn();
    expect(await reset(KEY)).toBe(1);
    expect(await liveSessionsIn(db)).toHaveLength(1);
    expect((await events()).filter((event) => event['event_type'] === 'second_factors_reset')).toHaveLength(
      1,
    );
    const other = reset({ ...KEY, mac: Buffer.alloc(32, 2) });
    await expect(other).rejects.toBeInstanceOf(RequestIdReused);
  });

  test('mends an app whose secret opens no more', async () => {
    await factors.enroll(await factors.signIn());
    await db.rows(`update user_service.totp_authenticators set secret = ''`);
    await reset();
    const { recoveryCodes } = await factors.enroll(await factors.signIn());
    expect(recoveryCodes).toHaveLength(10);
  });

  test('sends no mail where there was no second factor, and is recorded all the same', async () => {
    await factors.signIn();
    expect(await reset()).toBe(1);
    expect(await factors.mailbox.receive()).toEqual([]);
    expect(await events()).toMatchObject([{ metadata: { totp: false, passkeys: 0, trusted_devices: 0 } }]);
  });

  test('needs a user who is not deleted', async () => {
    await expect(reset(null, uuidV7() as Uuid)).rejects.toBeInstanceOf(UserNotFound);
    await db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`);
    await expect(reset()).rejects.toBeInstanceOf(UserNotFound);
    await expect(list()).rejects.toBeInstanceOf(UserNotFound);
  });
});
