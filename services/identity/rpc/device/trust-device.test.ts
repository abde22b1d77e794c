import { createHash } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../../testing/database-admin.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import { type AuthenticationMethod, authenticationContext } from '../../domain/authentication-context.ts';
import { DeviceTrustNotAllowed } from '../../domain/devices/errors.ts';
import { MAX_TRUSTED_DEVICES } from '../../domain/devices/trust.ts';
import { TrustedDevicePolicy } from '../../domain/devices/trusted-device-policy.ts';
import type { User } from '../../domain/user.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { DEVICE } from '../../storage/testing-identity.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { LIFETIME_MS, SHOWN, TestDevices, untilSomebodyWaits } from './testing-device-service.ts';

let db: TestOrm;
let devices: TestDevices;
let ada: User;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.signing_keys, user_service.outgoing_mails');
  devices = new TestDevices(db);
  ada = await devices.newUser();
});

/** A session in which its user, who has a second factor, showed this, and its access token. */
async function signedIn(
  methods: readonly AuthenticationMethod[] = ['pwd', 'otp'],
  ago = 0,
): Promise<{ readonly id: Uuid; readonly accessToken: string }> {
  const { identity } = devices;
  const { id: userId, roles } = ada;
  await db.rows(`update user_service.users set mfa_enabled = true, mfa_type = 'totp' where id = $1`, [
    userId,
  ]);
  const id = uuidV7() as Uuid;
  const at = devices.now();
  const authentication = authenticationContext(methods, new Date(at.getTime() - ago));
  await identity.unitOfWork.transactional(async ({ sessions }) => {
    await sessions.insert({
      ...{ id, userId, device: DEVICE, authentication, mfaVerified: true, isTrustedDevice: false },
      ...{ createdAt: at, lastActivityAt: at, expiresAt: new Date(at.getTime() + 3_600_000) },
    });
  });
  const subject = { userId, sessionId: id, roles, generation: 1, authentication };
  return { id, accessToken: (await identity.accessTokens.issue(subject)).token };
}

const trust = (accessToken: string, device: Partial<typeof SHOWN> = SHOWN) =>
  devices.client().trustDevice({ accessToken, device });

const rowsOfAda = () =>
  db.rows('select * from user_service.trusted_devices where user_id = $1 order by id', [ada.id]);

test('the device of a session with a fresh second factor is trusted, and its user is told', async () => {
  const { id: sessionId, accessToken } = await signedIn();
  const { trustToken, trustedDevice } = await trust(accessToken);
  expect(trustToken).toMatch(/^[\w-]{43}$/);
  expect(trustedDevice).toMatchObject({ userId: ada.id, useCount: 0n, trusted: true, revokeReason: '' });
  expect(trustedDevice?.device).toMatchObject({ ...SHOWN, userAgent: '' });
  const [row] = await rowsOfAda();
  expect(row?.['trust_token_hash']).toEqual(createHash('sha256').update(trustToken).digest());
  expect(Number(row?.['expires_at']) - Number(row?.['created_at'])).toBe(LIFETIME_MS);
  const id = trustedDevice?.id;
  expect(await devices.events(ada)).toMatchObject([
    {
      event_type: 'device_trusted',
      severity: 'low',
      session_id: sessionId,
      device_fingerprint: 'fp-1',
      metadata: { trusted_device_id: id },
    },
  ]);
  expect(
    await devices.client().verifyTrustedDevice({ userId: ada.id, trustToken, device: SHOWN }),
  ).toMatchObject({ trusted: true, trustedDevice: { id } });
  const mails = (await devices.mails()).filter(({ message }) => message.template === 'device_trusted');
  expect(mails.map(({ to }) => to)).toEqual([ada.email]);
});

describe('is refused', () => {
  async function refused(call: Promise<unknown>): Promise<[Code, string | undefined]> {
    const error = await failure(call);
    expect(await rowsOfAda()).toEqual([]);
    expect(await devices.events(ada)).toEqual([]);
    return [error.code, reasonOf(error)];
  }

  test('without a second factor, or with one that was shown long ago', async () => {
    const again = [Code.FailedPrecondition, 'REAUTHENTICATION_REQUIRED'];
    expect(await refused(trust((await signedIn(['pwd'])).accessToken))).toEqual(again);
    const { accessToken } = await signedIn(['pwd', 'otp'], devices.stepUpMaxAgeMs + 1_000);
    expect(await refused(trust(accessToken))).toEqual(again);
  });

  test('with an access token that is not good', async () => {
    const invalid = [Code.Unauthenticated, 'INVALID_ACCESS_TOKEN'];
    const { id, accessToken } = await signedIn();
    expect(await refused(trust('nonsense'))).toEqual(invalid);
    expect(await refused(trust(accessToken.slice(0, -8)))).toEqual(invalid);
    await db.rows('update user_service.sessions_history set terminated_at = now() where id = $1', [id]);
    expect(await refused(trust(accessToken))).toEqual(invalid);
  });

  test.each([
    ['whose roles forbid it', `set roles = '{user,admin}'`],
    ['who has no second factor any more', 'set mfa_enabled = false, mfa_type = null'],
  ])('to a user %s', async (_who, change) => {
    const { accessToken } = await signedIn();
    await db.rows(`update user_service.users ${change} where id = $1`, [ada.id]);
    expect(await refused(trust(accessToken))).toEqual([Code.FailedPrecondition, 'DEVICE_TRUST_NOT_ALLOWED']);
  });

  test('to everybody where devices are not to be trusted', async () => {
    devices.trustedDevicePolicy = new TrustedDevicePolicy({ lifetimeMs: 0, roles: ['user'] });
    const { accessToken } = await signedIn();
    expect(await refused(trust(accessToken))).toEqual([Code.FailedPrecondition, 'DEVICE_TRUST_NOT_ALLOWED']);
  });

  test('where fields are wrong: they are named at once', async () => {
    const error = await failure(trust('', { ipAddress: 'nowhere' }));
    expect([error.code, fieldsOf(error)]).toEqual([
      Code.InvalidArgument,
      ['access_token', 'device.ip_address', 'device.fingerprint'],
    ]);
  });

  test('without a fingerprint, also where a sign-in asks for it', async () => {
    const bare = { ...DEVICE, fingerprint: null };
    await expect(devices.trusted(ada, bare)).rejects.toThrow(DeviceTrustNotAllowed);
    expect(await rowsOfAda()).toEqual([]);
  });

  test('once the session was ended, by who holds the user’s row', async () => {
    const { id, accessToken } = await signedIn();
    await withTestClient(db.url, async (client) => {
      await client.query('begin');
      await client.query('update user_service.users set version = version + 1 where id = $1', [ada.id]);
      const call = refused(trust(accessToken));
      await untilSomebodyWaits(client);
      await client.query('update user_service.sessions_history set terminated_at = now() where id = $1', [
        id,
      ]);
      await client.query('commit');
      expect(await call).toEqual([Code.Unauthenticated, 'INVALID_ACCESS_TOKEN']);
    });
  });
});

describe('more than a user may trust', () => {
  test('the oldest one loses its trust, which is an event', async () => {
    const { accessToken } = await signedIn();
    const given: string[] = [];
    for (let count = 0; count <= MAX_TRUSTED_DEVICES; count += 1) {
      const { trustedDevice } = await trust(accessToken);
      given.push(trustedDevice?.id ?? '');
    }
    const rows = await rowsOfAda();
    expect(rows.map(({ id }) => id)).toEqual(given);
    expect(rows.map((row) => row['revocation_reason'])).toEqual(['device_limit', ...Array(20).fill(null)]);
    const limits = (await devices.events(ada)).filter(
      (event) => event['event_type'] === 'device_limit_reached',
    );
    expect(limits).toMatchObject([{ severity: 'low', metadata: { limit: 20, count: 1 } }]);
  });

  test('at once: as many are trusted in the end as may be', async () => {
    const { accessToken } = await signedIn();
    await Promise.all(Array.from({ length: 40 }, () => trust(accessToken)));
    const rows = await rowsOfAda();
    expect(rows).toHaveLength(40);
    expect(rows.filter((row) => row['revoked_at'] === null)).toHaveLength(MAX_TRUSTED_DEVICES);
  });
});
