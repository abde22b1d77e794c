import { randomUUID } from 'node:crypto';
import { toJson } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ListTrustedDevicesResponseSchema } from '../../../../gen/optix/identity/v1/device_service_pb.ts';
import { failure, fieldsOf } from '../../../../testing/failure.ts';
import type { User } from '../../domain/user.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { LIFETIME_MS, SHOWN, TestDevices } from './testing-device-service.ts';

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

const list = (request: object = {}) => devices.client().listTrustedDevices({ userId: ada.id, ...request });

/** Ids of this many devices, the newest first. */
async function trusted(count: number, user = ada): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) ids.unshift((await devices.trusted(user)).device.id);
  return ids;
}

test('a device, and nothing of its token', async () => {
  const { device, token } = await devices.trusted(ada);
  const answer = await list();
  const { trustedDevices, nextPageToken } = answer;
  const { userAgent: _notKept, ...kept } = SHOWN;
  expect(trustedDevices).toMatchObject([
    { id: device.id, userId: ada.id, device: kept, useCount: 0n, trusted: true, revokeReason: '' },
  ]);
  const [listed] = trustedDevices;
  expect(listed?.revokeTime).toBeUndefined();
  expect(Number(listed?.expireTime?.seconds) - Number(listed?.createTime?.seconds)).toBe(LIFETIME_MS / 1000);
  expect(nextPageToken).toBe('');
  const written = JSON.stringify(toJson(ListTrustedDevicesResponseSchema, answer));
  expect(written).toContain(device.id);
  expect(written).not.toContain(token);
});

test('those that are trusted; with show_revoked also those that were', async () => {
  const [newest = '', revoked = '', expired = ''] = await trusted(3);
  await trusted(1, await devices.newUser());
  await devices.client().revokeTrustedDevice({ userId: ada.id, id: revoked });
  await db.rows('update user_service.trusted_devices set expires_at = now() where id = $1', [expired]);
  expect((await list()).trustedDevices).toMatchObject([{ id: newest, trusted: true }]);
  const { trustedDevices: all } = await list({ showRevoked: true });
  expect(all).toMatchObject([
    { id: newest, trusted: true },
    { id: revoked, trusted: false, revokeReason: 'revoked' },
    { id: expired, trusted: false, revokeReason: '' },
  ]);
  expect(all.map(({ revokeTime }) => revokeTime === undefined)).toEqual([true, false, true]);
});

test('page by page, each once, while devices come and go', async () => {
  const [a, b, c, d] = await trusted(4);
  const first = await list({ pageSize: 2 });
  expect(first.trustedDevices.map(({ id }) => id)).toEqual([a, b]);
  await devices.trusted(ada);
  await devices.client().revokeTrustedDevice({ userId: ada.id, id: b ?? '' });
  const second = await list({ pageSize: 2, pageToken: first.nextPageToken });
  expect(second.trustedDevices.map(({ id }) => id)).toEqual([c, d]);
  expect(second.nextPageToken).toBe('');
});

test('of nobody is empty', async () => {
  expect((await list({ userId: randomUUID() })).trustedDevices).toEqual([]);
});

test('a page token is of one list only', async () => {
  await trusted(2);
  const { nextPageToken: pageToken } = await list({ pageSize: 1 });
  const others = [
    { userId: (await devices.newUser()).id, pageToken },
    { pageToken, showRevoked: true },
    { pageToken: `${pageToken}A` },
    { pageToken: 'AAAA' },
  ];
  for (const request of others) {
    const refused = await failure(list(request));
    expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, ['page_token']]);
  }
});

test.each([-1, 1_001])('a page of %i devices is refused', async (pageSize) => {
  const refused = await failure(list({ userId: '1', pageSize }));
  expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, ['user_id', 'page_size']]);
});
