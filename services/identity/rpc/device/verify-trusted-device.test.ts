import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../../testing/database-admin.ts';
import { failure, fieldsOf } from '../../../../testing/failure.ts';
import { TrustedDevicePolicy } from '../../domain/devices/trusted-device-policy.ts';
import type { User } from '../../domain/user.ts';
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
  devices = new TestDevices(db);
  ada = await devices.newUser();
});

const verify = (token: string, change: Partial<{ userId: string; device: Partial<typeof SHOWN> }> = {}) =>
  devices.client().verifyTrustedDevice({ userId: ada.id, trustToken: token, device: SHOWN, ...change });

async function isRefused(call: ReturnType<typeof verify>): Promise<void> {
  const { trusted, trustedDevice } = await call;
  expect([trusted, trustedDevice]).toEqual([false, undefined]);
}

test('a device that is trusted: it was seen, and its use is counted', async () => {
  const { device, token } = await devices.trusted(ada);
  devices.identity.ahead = 60_000;
  const first = await verify(token, { device: { ...SHOWN, ipAddress: '203.0.113.9' } });
  expect(first).toMatchObject({
    trusted: true,
    trustedDevice: { id: device.id, userId: ada.id, useCount: 1n, trusted: true, revokeReason: '' },
  });
  expect(first.trustedDevice?.device).toMatchObject({ fingerprint: 'fp-1', ipAddress: '203.0.113.9' });
  const seenAgo = Date.now() + 60_000 - Number(first.trustedDevice?.lastSeenTime?.seconds) * 1000;
  expect(seenAgo).toBeLessThan(10_000);
  // Another device id or name is no matter: the trust is bound to the fingerprint.
  const second = await verify(token, { device: { fingerprint: 'fp-1' }, userId: ada.id.toUpperCase() });
  expect(second.trustedDevice?.useCount).toBe(2n);
  expect(await devices.row(device.id)).toMatchObject({ use_count: 2, revoked_at: null });
});

describe('is not trusted', () => {
  const sql = (text: string) => async (): Promise<void> => {
    await db.rows(`update user_service.${text}`, [ada.id]);
  };

  test.each<[string, () => Promise<unknown> | unknown]>([
    ['whose trust was taken', () => devices.client().revokeTrustedDevice({ userId: ada.id })],
    ['whose trust has run out', () => Object.assign(devices.identity, { ahead: LIFETIME_MS })],
    ['of a user who is suspended', sql(`users set status = 'suspended' where id = $1`)],
    ['of a user who was deleted', sql(`users set status = 'deleted', deleted_at = now() where id = $1`)],
    ['of a user who has become an admin', sql(`users set roles = '{user,admin}' where id = $1`)],
    [
      'where no device is to be trusted any more',
      () =>
        Object.assign(devices, {
          trustedDevicePolicy: new TrustedDevicePolicy({ lifetimeMs: 0, roles: ['user'] }),
        }),
    ],
  ])('a device %s', async (_which, change) => {
    const { device, token } = await devices.trusted(ada);
    expect(await verify(token)).toMatchObject({ trusted: true });
    await change();
    await isRefused(verify(token));
    expect(await devices.row(device.id)).toMatchObject({ use_count: 1 });
  });

  test('a device with an unknown token, or with that of another user, and nothing is written', async () => {
    const { device, token } = await devices.trusted(ada);
    const eve = await devices.newUser();
    for (const [shown, userId] of [
      [`${token}x`, ada.id],
      [token.toLowerCase(), ada.id],
      [token, eve.id],
      [token, randomUUID()],
    ] as const) {
      await isRefused(verify(shown, { userId }));
    }
    expect(await devices.row(device.id)).toMatchObject({ use_count: 0 });
    expect((await devices.events(ada)).map((event) => event['event_type'])).toEqual(['device_trusted']);
    expect(await devices.events(eve)).toEqual([]);
  });

  test.each([
    ['another fingerprint', { ...SHOWN, fingerprint: 'fp-2', ipAddress: '203.0.113.9' }],
    ['no fingerprint', { ...SHOWN, fingerprint: '', ipAddress: '203.0.113.9' }],
  ])('a device with %s, and each call is an event', async (_which, device) => {
    const trusted = await devices.trusted(ada);
    for (let call = 0; call < 2; call += 1) {
      await isRefused(verify(trusted.token, { device }));
    }
    const [, ...events] = await devices.events(ada);
    const event = {
      event_type: 'trusted_device_mismatch',
      severity: 'medium',
      ip_address: '203.0.113.9',
      metadata: { trusted_device_id: trusted.device.id, trusted: true },
    };
    expect(events).toMatchObject([event, event]);
    expect(await devices.row(trusted.device.id)).toMatchObject({ use_count: 0 });
    // The one that it was given to is none the worse for it.
    expect(await verify(trusted.token)).toMatchObject({ trusted: true });
  });
});

test('fields that are wrong are named at once', async () => {
  const refused = await failure(verify('', { userId: '1', device: { ipAddress: 'nowhere' } }));
  expect([refused.code, fieldsOf(refused)]).toEqual([
    Code.InvalidArgument,
    ['user_id', 'trust_token', 'device.ip_address'],
  ]);
});

describe('races', () => {
  test('two hundred verifications at once are counted exactly', async () => {
    const { device, token } = await devices.trusted(ada);
    const answers = await Promise.all(Array.from({ length: 200 }, () => verify(token)));
    const counts = answers.map(({ trustedDevice }) => Number(trustedDevice?.useCount));
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
    expect(await devices.row(device.id)).toMatchObject({ use_count: 200 });
  });

  test('a use that waits for a revocation is none', async () => {
    const { device, token } = await devices.trusted(ada);
    await withTestClient(db.url, async (client) => {
      await client.query('begin');
      await client.query('update user_service.trusted_devices set revoked_at = now() where id = $1', [
        device.id,
      ]);
      const call = isRefused(verify(token));
      await untilSomebodyWaits(client);
      await client.query('commit');
      await call;
    });
    expect(await devices.row(device.id)).toMatchObject({ use_count: 0 });
  });

  test.each(['one device', 'all devices'])(
    'the revocation of %s wins over uses at the same time',
    async (of) => {
      let uses = 0;
      for (let round = 0; round < 10; round += 1) {
        const { device, token } = await devices.trusted(ada);
        let revoked = false;
        let trusted = 0;
        const use = async (): Promise<void> => {
          for (let after = 0; after < 3; ) {
            const isAfter = revoked;
            const answer = await verify(token);
            if (answer.trusted) trusted += 1;
            if (isAfter) {
              expect(answer.trusted).toBe(false);
              after += 1;
            }
          }
        };
        const revoke = async (): Promise<void> => {
          while (trusted < 5) await new Promise(setImmediate);
          const id = of === 'one device' ? device.id : '';
          const { revokedDevices } = await devices.client().revokeTrustedDevice({ userId: ada.id, id });
          revoked = true;
          expect(revokedDevices).toBe(1n);
        };
        await Promise.all([revoke(), ...Array.from({ length: 8 }, use)]);
        // Each use that was answered with yes was before the revocation, and counted.
        expect(await devices.row(device.id)).toMatchObject({
          use_count: trusted,
          revocation_reason: 'revoked',
        });
        uses += trusted;
      }
      expect(uses).toBeGreaterThanOrEqual(50);
    },
  );
});
