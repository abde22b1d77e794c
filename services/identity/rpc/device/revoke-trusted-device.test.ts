import { randomUUID } from 'node:crypto';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import type { User } from '../../domain/user.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { TestDevices } from './testing-device-service.ts';

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

const revoke = async (request: object = {}): Promise<bigint> =>
  (await devices.client().revokeTrustedDevice({ userId: ada.id, ...request })).revokedDevices;

/** What happened after the devices were trusted. */
const revocations = async () =>
  (await devices.events(ada)).filter((event) => event['event_type'] !== 'device_trusted');

test('one device: who asked and why is in the event', async () => {
  const { device } = await devices.trusted(ada);
  const other = await devices.trusted(ada);
  expect(await revoke({ id: device.id.toUpperCase(), actor: 'op-7', reason: 'lost phone' })).toBe(1n);
  expect(await devices.row(device.id)).toMatchObject({ revocation_reason: 'revoked' });
  expect(await devices.row(other.device.id)).toMatchObject({ revoked_at: null });
  expect(await revocations()).toMatchObject([
    {
      event_type: 'device_trust_revoked',
      severity: 'low',
      metadata: {
        ...{ caller: 'console', actor: 'op-7', reason: 'lost phone' },
        trusted_device_id: device.id,
      },
    },
  ]);
});

test('one that is not trusted any more stays as it is, with no event', async () => {
  const { device } = await devices.trusted(ada);
  expect(await revoke({ id: device.id })).toBe(1n);
  const before = await devices.row(device.id);
  expect(await revoke({ id: device.id, reason: 'again' })).toBe(0n);
  expect(await devices.row(device.id)).toEqual(before);
  const { device: expired } = await devices.trusted(ada);
  await db.rows('update user_service.trusted_devices set expires_at = now() where id = $1', [expired.id]);
  expect(await revoke({ id: expired.id })).toBe(0n);
  expect(await devices.row(expired.id)).toMatchObject({ revoked_at: null });
  expect(await revocations()).toHaveLength(1);
});

test('a device that there is not, or of another user, is not found', async () => {
  const { device } = await devices.trusted(await devices.newUser());
  for (const id of [randomUUID(), device.id]) {
    const refused = await failure(revoke({ id }));
    expect([refused.code, reasonOf(refused)]).toEqual([Code.NotFound, 'TRUSTED_DEVICE_NOT_FOUND']);
  }
  expect(await devices.row(device.id)).toMatchObject({ revoked_at: null });
});

test('all devices of a user in one event, and nobody else’s; again there are none', async () => {
  for (let count = 0; count < 3; count += 1) await devices.trusted(ada);
  const { device: hers } = await devices.trusted(await devices.newUser());
  expect(await revoke({ reason: 'sold' })).toBe(3n);
  expect(await revoke({ reason: 'sold' })).toBe(0n);
  expect(await devices.row(hers.id)).toMatchObject({ revoked_at: null });
  expect(await revocations()).toMatchObject([
    { event_type: 'devices_trust_revoked', metadata: { actor: null, reason: 'sold', count: 3 } },
  ]);
});

test('all devices of nobody are none', async () => {
  expect(await revoke({ userId: randomUUID() })).toBe(0n);
});

test('fields that are wrong are named at once, and nothing is changed', async () => {
  const { device } = await devices.trusted(ada);
  const refused = await failure(revoke({ userId: '1', id: '2', actor: 'a'.repeat(129), reason: 'a\nb' }));
  expect([refused.code, fieldsOf(refused)]).toEqual([
    Code.InvalidArgument,
    ['user_id', 'id', 'actor', 'reason'],
  ]);
  expect(await devices.row(device.id)).toMatchObject({ revoked_at: null });
});

test('of revocations at once, one takes the trust', async () => {
  const { device } = await devices.trusted(ada);
  const counts = await Promise.all(
    Array.from({ length: 20 }, (_, index) => revoke({ id: index % 2 === 0 ? device.id : '' })),
  );
  expect(counts.filter((count) => count === 1n)).toHaveLength(1);
  expect(await revocations()).toHaveLength(1);
});
