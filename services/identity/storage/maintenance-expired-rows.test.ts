import { randomBytes } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { ExpiredRowRepository } from './maintenance-expired-rows.ts';
import { OldRows } from './testing-old-rows.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let rows: ExpiredRowRepository;
let user: string;
beforeAll(async () => {
  db = await openTestOrm();
  rows = new ExpiredRowRepository(db.orm.em);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users cascade');
  user = await new OldRows(db).user();
});

const BOUND = new Date('2026-03-01T12:00:00Z');
const JUST_BEFORE = new Date(BOUND.getTime() - 1);
const LATER = new Date(BOUND.getTime() + 1000);

async function insert(table: string, values: Readonly<Record<string, unknown>>): Promise<string> {
  const id = uuidV7();
  const row = { id, user_id: user, created_at: new Date('2026-01-01T00:00:00Z'), ...values };
  const columns = Object.keys(row);
  await db.rows(
    `insert into user_service.${table} (${columns.join()}) values (${columns.map((_, n) => `$${n + 1}`).join()})`,
    Object.values(row),
  );
  return id;
}

const family = (expires_at: Date, more = {}) =>
  insert('refresh_token_families', {
    ...{ session_id: uuidV7(), expires_at, current_token_hash: randomBytes(32) },
    ...more,
  });
const device = (expires_at: Date, revoked_at: Date | null = null) =>
  insert('trusted_devices', {
    ...{ trust_token_hash: randomBytes(32), last_seen_at: BOUND, expires_at, revoked_at },
  });
const challenge = (expires_at: Date, used_at: Date | null = null) =>
  insert('auth_challenges', {
    ...{ token_hash: randomBytes(32), purpose: 'sign_in', amr: '{pwd}', webauthn_challenge: randomBytes(32) },
    ...{ expires_at, used_at },
  });
const totp = (expires_at: Date) =>
  insert('totp_authenticators', { secret: randomBytes(48), secret_key_id: 'k1', expires_at });
const ids = async (table: string) =>
  (await db.rows(`select id from user_service.${table} order by id`)).map(({ id }) => id);

test('families go once they have expired, revoked or not', async () => {
  await family(JUST_BEFORE);
  await family(JUST_BEFORE, { revoked_at: JUST_BEFORE });
  const kept = [await family(BOUND), await family(LATER, { revoked_at: JUST_BEFORE })];
  expect(await rows.deleteFamilies(BOUND, 10)).toBe(2);
  expect(await ids('refresh_token_families')).toEqual(kept);
});

test('devices go by when their trust expired, or was revoked', async () => {
  await device(JUST_BEFORE);
  const revoked = await device(LATER, JUST_BEFORE);
  const kept = [await device(BOUND), await device(LATER, BOUND), await device(LATER)];
  expect(await rows.deleteExpiredDevices(BOUND, 10)).toBe(1);
  expect(await ids('trusted_devices')).toEqual([revoked, ...kept]);
  expect(await rows.deleteRevokedDevices(BOUND, 10)).toBe(1);
  expect(await ids('trusted_devices')).toEqual(kept);
});

test('challenges go once they have expired, completed or not', async () => {
  await challenge(JUST_BEFORE);
  await challenge(JUST_BEFORE, JUST_BEFORE);
  const kept = [await challenge(BOUND), await challenge(LATER, JUST_BEFORE)];
  expect(await rows.deleteChallenges(BOUND, 10)).toBe(2);
  expect(await ids('auth_challenges')).toEqual(kept);
});

test('an authenticator app goes where it was not confirmed in time, and never once it was', async () => {
  const confirmed = await totp(JUST_BEFORE);
  await db.rows(
    `update user_service.totp_authenticators set confirmed_at = $1, expires_at = null, last_step = 1`,
    [JUST_BEFORE],
  );
  await totp(JUST_BEFORE);
  expect(await rows.deletePendingTotp(BOUND, 10)).toBe(1);
  const pending = await totp(BOUND);
  expect(await rows.deletePendingTotp(BOUND, 10)).toBe(0);
  expect(await ids('totp_authenticators')).toEqual([confirmed, pending]);
});

test('not more than asked for, and not what somebody holds', async () => {
  const held = await challenge(JUST_BEFORE);
  for (let n = 0; n < 5; n += 1) await challenge(JUST_BEFORE);
  await withTestClient(db.url, async (client) => {
    await client.query('begin');
    await client.query('select from user_service.auth_challenges where id = $1 for update', [held]);
    expect(await rows.deleteChallenges(BOUND, 3)).toBe(3);
    expect(await rows.deleteChallenges(BOUND, 3)).toBe(2);
    expect(await rows.deleteChallenges(BOUND, 3)).toBe(0);
    await client.query('rollback');
  });
  expect(await ids('auth_challenges')).toEqual([held]);
});
