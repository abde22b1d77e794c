import { randomBytes } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import type { Passkey } from '../domain/passkeys/passkey.ts';
import type { Uuid } from '../domain/uuid.ts';
import { PasskeyRepository } from './passkey-repository.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const CREATED = new Date('2026-11-22T10:00:00Z');
const LATER = new Date('2026-11-23T10:00:00Z');

let db: TestOrm;
let passkeys: PasskeyRepository;
let userId: Uuid;
let otherUser: Uuid;
beforeAll(async () => {
  db = await openTestOrm();
  passkeys = new PasskeyRepository(db.orm.em);
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

async function added(parts: Partial<Passkey> = {}): Promise<Passkey> {
  const passkey: Passkey = {
    id: uuidV7() as Uuid,
    userId,
    credentialId: randomBytes(32),
    publicKey: randomBytes(77),
    signCount: 4_294_967_295,
    aaguid: 'ee882879-721c-4913-9775-3dfcce97072a' as Uuid,
    transports: ['hybrid', 'internal'],
    name: 'Öha, "key" {1}',
    deviceType: 'multi_device',
    backedUp: true,
    createdAt: CREATED,
    lastUsedAt: null,
    ...parts,
  };
  expect(await passkeys.insert(passkey)).toBe(true);
  return passkey;
}

const use = ({ id, signCount }: Passkey, to: number, at = LATER) =>
  passkeys.recordUse({ id, checkedSignCount: signCount, signCount: to, backedUp: false, at });

test('a passkey is found by its credential id, as it was added', async () => {
  const full = await added();
  const bare = await added({ aaguid: null, transports: [], name: null, deviceType: 'single_device' });
  expect(await passkeys.findByCredentialId(full.credentialId)).toEqual(full);
  expect(await passkeys.findByCredentialId(bare.credentialId)).toEqual(bare);
  expect(await passkeys.findByCredentialId(randomBytes(32))).toBeNull();
});

test('the passkeys of a user: oldest first, nobody else’s', async () => {
  const [second, first] = [await added({ createdAt: LATER }), await added()];
  await added({ userId: otherUser });
  expect(await passkeys.listByUser(userId)).toEqual([first, second]);
});

test('a credential id belongs to one passkey, whosever it is', async () => {
  const { credentialId } = await added();
  const again = { ...(await added()), id: uuidV7() as Uuid, userId: otherUser, credentialId };
  expect(await passkeys.insert(again)).toBe(false);
  expect(await passkeys.listByUser(otherUser)).toEqual([]);
});

test('a use is written down where the count is the one that was checked', async () => {
  const passkey = await added({ signCount: 5 });
  expect(await use(passkey, 7)).toBe(true);
  const used = { ...passkey, signCount: 7, backedUp: false, lastUsedAt: LATER };
  expect(await passkeys.findByCredentialId(passkey.credentialId)).toEqual(used);
  expect(await use(passkey, 8)).toBe(false);
  expect(await passkeys.findByCredentialId(passkey.credentialId)).toEqual(used);
  // One that was under way for longer.
  expect(await use(used, 9, CREATED)).toBe(true);
  expect(await passkeys.findByCredentialId(passkey.credentialId)).toMatchObject({ lastUsedAt: LATER });
});

test('of 50 uses at once that were checked against one count, one is written down', async () => {
  const passkey = await added({ signCount: 5 });
  const outcomes = await Promise.all(Array.from({ length: 50 }, (_, index) => use(passkey, 6 + index)));
  expect(outcomes.filter((recorded) => recorded)).toHaveLength(1);
});

test('of an authenticator that does not count, each of 50 uses at once is', async () => {
  const passkey = await added({ signCount: 0 });
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => use(passkey, 0)));
  expect(outcomes).toEqual(Array.from({ length: 50 }, () => true));
});

test('a use waits for who holds the user, so that a removal and a use never wait for each other', async () => {
  const passkey = await added({ signCount: 0 });
  const used = await withTestClient(db.url, async (client) => {
    await client.query('begin');
    await client.query('select 1 from user_service.users where id = $1 for no key update', [userId]);
    const used = use(passkey, 0);
    await expect.poll(waiting, { timeout: 10_000 }).toBe(1);
    await client.query('delete from user_service.passkeys where id = $1', [passkey.id]);
    await client.query('commit');
    return await used;
  });
  expect(used).toBe(false);
});

async function waiting(): Promise<number> {
  const rows = await db.rows(
    `select 1 from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock' and query like '%user_service.passkeys%'`,
  );
  return rows.length;
}

test('a passkey is renamed and removed by whose it is only', async () => {
  const passkey = await added();
  const { id } = passkey;
  expect(await passkeys.rename({ id, userId: otherUser, name: 'mine' })).toBeNull();
  expect(await passkeys.remove(id, otherUser)).toBe(false);
  expect(await passkeys.rename({ id, userId, name: null })).toEqual({ ...passkey, name: null });
  expect(await passkeys.remove(id, userId)).toBe(true);
  expect(await passkeys.remove(id, userId)).toBe(false);
  expect(await passkeys.rename({ id, userId, name: 'gone' })).toBeNull();
});

test('all passkeys of a user are removed at once', async () => {
  await Promise.all([added(), added(), added({ userId: otherUser })]);
  expect(await passkeys.removeAll(userId)).toBe(2);
  expect(await passkeys.removeAll(userId)).toBe(0);
  expect(await passkeys.listByUser(otherUser)).toHaveLength(1);
});
