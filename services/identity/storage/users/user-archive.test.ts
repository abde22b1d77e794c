import { afterEach, beforeEach, expect, test } from 'vitest';
import { withTestClient } from '../../../../testing/database-admin.ts';
import { EtagMismatch, UserNotDeleted, UserNotFound } from '../../domain/errors.ts';
import { archiveUsersTask } from '../../domain/maintenance/tasks/archive-users.ts';
import type { User } from '../../domain/user.ts';
import { deleteUser } from '../../domain/users/delete-user.ts';
import { purgeUser } from '../../domain/users/purge-user.ts';
import { undeleteUser } from '../../domain/users/undelete-user.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { change, etag, ORIGIN, requestKey, TestUsers } from './testing-users.ts';
import { ArchivedUserRepository } from './user-archive.ts';

let db: TestOrm;
let users: TestUsers;
beforeEach(async () => {
  db = await openTestOrm();
  users = new TestUsers(db);
});
afterEach(() => db[Symbol.asyncDispose]());

const NEVER = new AbortController().signal;
const DAY_MS = 24 * 3_600_000;
const NOW = new Date();

const archive = (archiveAfterDays = 30) =>
  archiveUsersTask({
    unitOfWork: users.unitOfWork,
    archivedUsers: new ArchivedUserRepository(db.orm.em),
    archiveAfterDays,
    now: () => NOW,
  }).run(NEVER);

/** A user who was deleted that long ago. */
async function deleted(address: string, msAgo: number): Promise<User> {
  const user = await users.create(address);
  await users.openSession(user.id);
  await deleteUser(users, change(user));
  await db.rows('update user_service.users set deleted_at = $2 where id = $1', [
    user.id,
    new Date(NOW.getTime() - msAgo),
  ]);
  return await users.find(user.id);
}
const archived = () => db.rows('select * from user_service.archived_users order by archived_at');
const ids = async (table: string) =>
  (await db.rows(`select id from user_service.${table} order by id`)).map(({ id }) => id);

test('moves who was deleted long enough ago, and nobody else', async () => {
  const gone = await deleted('ada@example.com', 30 * DAY_MS + 1);
  const kept = [
    await deleted('eve@example.com', 30 * DAY_MS),
    await deleted('bob@example.com', 0),
    await users.create('kim@example.com'),
  ];
  expect(await archive()).toEqual({ count: 1, hasMore: false });
  expect(await ids('users')).toEqual(kept.map(({ id }) => id));
  expect(await archived()).toEqual([
    {
      ...{ id: gone.id, email: 'ada@example.com', email_normalized: 'ada@example.com' },
      ...{ first_name: 'Ada', last_name: 'Lovelace', phone: '+4915112345678' },
      ...{ created_at: gone.createdAt, last_login_at: null, deleted_at: gone.deletedAt, archived_at: NOW },
      roles: ['user'],
    },
  ]);
  expect(await archive()).toEqual({ count: 0, hasMore: false });
});

test('what belonged to the account goes; the audit log stays whole, and tells of it', async () => {
  const user = await deleted('ada@example.com', 31 * DAY_MS);
  await db.rows(
    `insert into user_service.security_events (id, event_type, severity, description, user_id, device_id, ip_address,
       personal_salt, personal_hash, created_at)
     values (gen_random_uuid(), 'login_succeeded', 'info', 'A user signed in.', $1, 'device-1', '2001:db8::7', '\\x01',
       sha256('x'), now())`,
    [user.id],
  );
  await archive();
  for (const table of ['sessions_history', 'refresh_token_families', 'trusted_devices', 'one_time_tokens']) {
    expect([table, await ids(table)]).toEqual([table, []]);
  }
  const events = await users.events(user.id);
  expect(events.find(({ event_type }) => event_type === 'login_succeeded')).toMatchObject({
    device_id: 'device-1',
    ip_address: '2001:db8::7',
    personal_salt: Buffer.from([1]),
  });
  expect(events.find(({ event_type }) => event_type === 'user_archived')).toMatchObject({
    severity: 'info',
    metadata: { caller: null, actor: 'maintenance', reason: null },
  });
});

test('an archived user is not restored; the address is free', async () => {
  const user = await deleted('ada@example.com', 31 * DAY_MS);
  await archive();
  await expect(undeleteUser(users, change(user))).rejects.toThrow(UserNotFound);
  const other = await users.create('ada@example.com');
  expect(other.id).not.toBe(user.id);
  await deleteUser(users, change(other));
  await db.rows(`update user_service.users set deleted_at = '2020-01-01'`);
  await archive();
  expect(await archived()).toHaveLength(2);
});

test('an archived user is purged: nothing is left that tells about the person', async () => {
  const user = await deleted('ada@example.com', 31 * DAY_MS);
  await db.rows(
    `insert into user_service.security_events (id, event_type, severity, description, user_id, ip_address,
       personal_salt, personal_hash, created_at)
     values (gen_random_uuid(), 'login_succeeded', 'info', 'x', $1, '2001:db8::7', '\\x01', sha256('x'), now())`,
    [user.id],
  );
  await archive();
  await expect(purgeUser(users, change(user, etag(user)))).rejects.toThrow(EtagMismatch);
  expect(await archived()).toHaveLength(1);

  const asked = change(user, { requestKey: requestKey('p') });
  const purge = await purgeUser(users, asked);
  expect(purge).toEqual({ sessions: 0, securityEvents: expect.any(Number) });
  expect(purge.securityEvents).toBeGreaterThanOrEqual(1);
  expect(await archived()).toEqual([]);
  const everything = JSON.stringify(await db.rows('select * from user_service.security_events'));
  expect(everything).not.toMatch(/ada@example|2001:db8|Lovelace/);
  const events = await users.events(user.id);
  expect(events.find(({ event_type }) => event_type === 'user_purged')).toMatchObject({
    metadata: { ...ORIGIN, sessions: 0 },
  });

  expect(await purgeUser(users, asked)).toEqual(purge);
  await expect(purgeUser(users, change(user))).rejects.toThrow(UserNotFound);
});

test('a user who can not be archived keeps no other from it, and is told of', async () => {
  const stuck = await deleted('ada@example.com', 32 * DAY_MS);
  const gone = await deleted('eve@example.com', 31 * DAY_MS);
  // As after a row of users was restored from a backup.
  await db.rows(
    `insert into user_service.archived_users
       (id, email, email_normalized, first_name, last_name, roles, created_at, deleted_at, archived_at)
     values ($1, 'x', 'x', 'x', 'x', '{user}', now(), now(), now())`,
    [stuck.id],
  );
  await expect(archive()).rejects.toThrow('23505');
  expect(await ids('users')).toEqual([stuck.id]);
  expect(await ids('archived_users')).toEqual([stuck.id, gone.id]);
});

test('a user who is being restored is left alone', async () => {
  const user = await deleted('ada@example.com', 31 * DAY_MS);
  await withTestClient(db.url, async (client) => {
    await client.query('begin');
    await client.query(
      `update user_service.users set status = 'active', status_before_delete = null, deleted_at = null where id = $1`,
      [user.id],
    );
    expect(await archive()).toEqual({ count: 0, hasMore: false });
    await client.query('commit');
  });
  expect(await archive()).toEqual({ count: 0, hasMore: false });
  expect(await ids('users')).toEqual([user.id]);
  await expect(purgeUser(users, change(user))).rejects.toThrow(UserNotDeleted);
});

test('archived and purged at the same time, each user is gone in the end', async () => {
  const gone: User[] = [];
  for (let n = 0; n < 10; n += 1) gone.push(await deleted(`u${n}@example.com`, 31 * DAY_MS));
  await Promise.all([archive(), ...gone.map((user) => purgeUser(users, change(user))), archive()]);
  expect(await ids('users')).toEqual([]);
  expect(await archived()).toEqual([]);
  expect(
    await db.rows(`select 1 from user_service.security_events where event_type = 'user_purged'`),
  ).toHaveLength(10);
});

test('of several replicas one archives a user', async () => {
  for (let n = 0; n < 10; n += 1) await deleted(`u${n}@example.com`, 31 * DAY_MS);
  const results = await Promise.all([archive(), archive(), archive(), archive()]);
  expect(results.reduce((sum, { count }) => sum + count, 0)).toBe(10);
  expect(await archived()).toHaveLength(10);
});

test('0 days: nobody is archived', async () => {
  await deleted('ada@example.com', 3650 * DAY_MS);
  expect(await archive(0)).toEqual({ count: 0, hasMore: false });
  expect(await archived()).toEqual([]);
});
