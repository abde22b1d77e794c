import { randomBytes } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { IpAddress } from '../domain/ip-address.ts';
import type { NewTrustedDevice } from '../domain/trusted-devices.ts';
import type { Uuid } from '../domain/uuid.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TrustedDeviceRepository } from './trusted-device-repository.ts';

const CREATED = new Date('2026-11-22T10:00:00Z');
const EXPIRES = new Date('2026-12-22T10:00:00Z');
const LATER = new Date('2026-11-23T10:00:00Z');

let db: TestOrm;
let devices: TrustedDeviceRepository;
let userId: Uuid;
let otherUser: Uuid;
beforeAll(async () => {
  db = await openTestOrm();
  devices = new TrustedDeviceRepository(db.orm.em);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  userId = await addUser();
  otherUser = await addUser();
});

async function addUser(): Promise<Uuid> {
  const id = uuidV7() as Uuid;
  await db.rows(
    `insert into user_service.users (id, email, email_normalized, roles, created_at, updated_at)
     values ($1, $2, $2, '{user}', now(), now())`,
    [id, `${id}@example.com`],
  );
  return id;
}

const newDevice = (parts: Partial<NewTrustedDevice> = {}): NewTrustedDevice => ({
  id: uuidV7() as Uuid,
  userId,
  deviceId: 'device-1',
  fingerprint: 'fp-1',
  name: "Ada's laptop",
  trustTokenHash: randomBytes(32),
  ipAddress: '2001:db8::7' as IpAddress,
  createdAt: CREATED,
  expiresAt: EXPIRES,
  ...parts,
});
const added = async (parts: Partial<NewTrustedDevice> = {}) => {
  const device = newDevice(parts);
  await devices.insert(device);
  return device;
};

test('a device is found by the hash of its token, as it was added and without the hash', async () => {
  const { trustTokenHash, ...device } = await added();
  expect(await devices.findByTokenHash(trustTokenHash)).toEqual({
    ...device,
    lastSeenAt: CREATED,
    useCount: 0,
    revokedAt: null,
    revocationReason: null,
  });
  expect(await devices.findByTokenHash(randomBytes(32))).toBeNull();
});

test('the devices of a user: newest first, page by page, nobody else’s', async () => {
  const own = [await added(), await added(), await added()].map(({ id }) => id).reverse();
  await added({ userId: otherUser });
  const page = async (before: Uuid | null) =>
    (await devices.listByUser(userId, { trustedAt: null, before, limit: 2 })).map(({ id }) => id);
  expect(await page(null)).toEqual(own.slice(0, 2));
  expect(await page(own[1] ?? null)).toEqual(own.slice(2));
});

test('the devices of a user that are trusted at a time: neither revoked nor expired then', async () => {
  const kept = [await added(), await added()].map(({ id }) => id).reverse();
  const { id } = await added();
  await devices.revoke({ id, userId, reason: 'revoked', at: LATER });
  await added({ expiresAt: LATER });
  const listed = await devices.listByUser(userId, { trustedAt: LATER, before: null, limit: 10 });
  expect(listed.map((device) => device.id)).toEqual(kept);
});

test('a device is found by its id, by its user only', async () => {
  const { id } = await added();
  expect(await devices.find({ id, userId })).toMatchObject({ id, userId });
  expect(await devices.find({ id, userId: otherUser })).toBeNull();
});

test('uses are counted, also at the same time, and the last one is remembered', async () => {
  const { id, trustTokenHash } = await added();
  const use = { id, userId, ipAddress: '203.0.113.9' as IpAddress, at: LATER };
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => devices.recordUse(use)));
  expect(outcomes.map((device) => device?.useCount).toSorted((a = 0, b = 0) => a - b)).toEqual(
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  // One that was under way for longer.
  const last = await devices.recordUse({ ...use, at: CREATED });
  expect(last).toMatchObject({ id, useCount: 21, lastSeenAt: LATER, ipAddress: '203.0.113.9' });
  expect(await devices.findByTokenHash(trustTokenHash)).toEqual(last);
});

test('a device that is revoked, expired or another user’s can not be used', async () => {
  const { id, trustTokenHash } = await added();
  const use = { id, userId, ipAddress: null, at: LATER };
  expect(await devices.recordUse({ ...use, at: EXPIRES })).toBeNull();
  expect(await devices.recordUse({ ...use, userId: otherUser })).toBeNull();
  expect(await devices.revoke({ id, userId, reason: 'revoked', at: LATER })).toBe(true);
  expect(await devices.recordUse(use)).toBeNull();
  expect(await devices.findByTokenHash(trustTokenHash)).toMatchObject({ useCount: 0, lastSeenAt: CREATED });
});

test('a device is revoked once, by its user only, while it is trusted', async () => {
  const { id, trustTokenHash } = await added();
  const revocation = { id, userId, reason: 'revoked', at: LATER } as const;
  expect(await devices.revoke({ ...revocation, userId: otherUser })).toBe(false);
  expect(await devices.revoke(revocation)).toBe(true);
  expect(await devices.revoke({ ...revocation, reason: 'user_deleted' })).toBe(false);
  const expired = await added({ expiresAt: LATER });
  expect(await devices.revoke({ ...revocation, id: expired.id })).toBe(false);
  expect(await devices.findByTokenHash(trustTokenHash)).toMatchObject({
    revokedAt: LATER,
    revocationReason: 'revoked',
  });
});

test('all devices of a user are revoked at once: those that are still trusted, and nobody else’s', async () => {
  const kept = await added();
  const gone = await added();
  await devices.revoke({ id: gone.id, userId, reason: 'revoked', at: LATER });
  await added({ expiresAt: LATER });
  const other = await added({ userId: otherUser });
  const all = { userId, reason: 'password_changed', at: LATER } as const;
  expect(await devices.revokeAllOfUser(all)).toBe(1);
  expect(await devices.revokeAllOfUser(all)).toBe(0);
  const reasonOf = async ({ trustTokenHash }: NewTrustedDevice) =>
    (await devices.findByTokenHash(trustTokenHash))?.revocationReason;
  expect(await reasonOf(kept)).toBe('password_changed');
  expect(await reasonOf(gone)).toBe('revoked');
  expect(await reasonOf(other)).toBeNull();
});

test('beyond a number, the oldest devices that are trusted are revoked', async () => {
  const first = await added();
  const second = await added();
  await added({ expiresAt: LATER });
  const gone = await added();
  await devices.revoke({ id: gone.id, userId, reason: 'revoked', at: LATER });
  const newest = await added();
  const other = await added({ userId: otherUser });
  const beyond = { userId, reason: 'device_limit', at: LATER } as const;
  expect(await devices.revokeBeyond({ ...beyond, most: 3 })).toBe(0);
  expect(await devices.revokeBeyond({ ...beyond, most: 1 })).toBe(2);
  const reasonOf = async ({ trustTokenHash }: NewTrustedDevice) =>
    (await devices.findByTokenHash(trustTokenHash))?.revocationReason;
  expect(await Promise.all([first, second, gone, newest, other].map(reasonOf))).toEqual([
    ...['device_limit', 'device_limit', 'revoked', null, null],
  ]);
});

test('two devices with one token can not be', async () => {
  const { trustTokenHash } = await added();
  await expect(added({ trustTokenHash })).rejects.toMatchObject({ name: 'DatabaseError', sqlState: '23505' });
});
