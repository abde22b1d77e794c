import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { EtagMismatch, RequestIdReused, UserNotDeleted, UserNotFound } from '../../domain/errors.ts';
import { deleteUser } from '../../domain/users/delete-user.ts';
import { purgeUser } from '../../domain/users/purge-user.ts';
import { ormOptions } from '../mikro-orm.config.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { change, etag, requestKey, TestUsers } from './testing-users.ts';

/** Tables that hold rows of a user, beside the audit log. */
const TABLES = [
  'refresh_token_families',
  'sessions_history',
  'trusted_devices',
  'one_time_tokens',
  'outgoing_mails',
];

let db: TestOrm;
let users: TestUsers;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    `truncate user_service.users, user_service.security_events, user_service.answered_requests,
       user_service.outgoing_mails cascade`,
  );
  users = new TestUsers(db);
});

const mail = (userId: string) =>
  db.rows(
    `insert into user_service.outgoing_mails (id, user_id, payload, payload_key_id, created_at, next_attempt_at,
       expires_at) values (gen_random_uuid(), $1, 'sealed', 'k1', now(), now(), now())`,
    [userId],
  );

test('erases the account and all that belongs to it, and nothing of others', async () => {
  const user = await users.create('ada@example.com');
  const other = await users.create('eve@example.com');
  for (const { id } of [user, user, other]) {
    await users.openSession(id);
    await mail(id);
  }
  await deleteUser(users, change(user));
  expect(await purgeUser(users, change(user))).toEqual({ sessions: 2, securityEvents: expect.any(Number) });
  for (const table of TABLES) {
    const rows = await db.rows(`select user_id from user_service.${table}`);
    expect([table, rows]).toEqual([table, [{ user_id: other.id }]]);
  }
  expect(await db.rows('select id from user_service.users')).toEqual([{ id: other.id }]);
  await expect(purgeUser(users, change(user))).rejects.toThrow(UserNotFound);
});

test('the audit log keeps its entries, without what tells about the person', async () => {
  const user = await users.create('ada@example.com');
  await db.rows(
    `insert into user_service.security_events (id, event_type, severity, description, user_id, device_id,
       device_fingerprint, ip_address, user_agent, personal_salt, personal_hash, created_at)
     values (gen_random_uuid(), 'login_succeeded', 'info', 'A user signed in.', $1, 'device-1', 'fp-1',
       '2001:db8::7', 'tests/1.0', '\\x01', sha256('x'), now())`,
    [user.id],
  );
  await deleteUser(users, change(user));
  const before = (await users.events(user.id)).length;
  const { securityEvents } = await purgeUser(users, change(user));
  expect(securityEvents).toBeGreaterThanOrEqual(1);

  const events = await users.events(user.id);
  expect(events).toHaveLength(before + 1);
  const login = events.find(({ event_type }) => event_type === 'login_succeeded');
  expect(login).toMatchObject({
    device_id: null,
    device_fingerprint: null,
    ip_address: null,
    user_agent: null,
    personal_salt: null,
  });
  expect(login?.['personal_hash']).toHaveLength(32);
  expect(events.find(({ event_type }) => event_type === 'user_purged')).toMatchObject({
    metadata: { caller: 'console', actor: 'op-7', reason: 'asked by phone', security_events: securityEvents },
  });
  const everything = JSON.stringify(await db.rows('select * from user_service.security_events'));
  expect(everything).not.toMatch(/ada@example|fp-1|2001:db8|tests\/1\.0/);
});

test('answers to requests are forgotten, but a late retry makes nobody anew', async () => {
  const request = { requestKey: requestKey('a') };
  const user = await users.create('ada@example.com', request);
  await users.create('eve@example.com', { requestKey: requestKey('b') });
  await deleteUser(users, change(user));
  await purgeUser(users, change(user));
  expect(
    await db.rows('select user_id, answer::text from user_service.answered_requests order by request_id'),
  ).toEqual([
    { user_id: null, answer: '{"answer": null, "revoked": []}' },
    { user_id: expect.any(String), answer: expect.stringContaining('eve@example.com') },
  ]);
  await expect(users.create('ada@example.com', request)).rejects.toThrow(UserNotFound);
  const other = { requestKey: requestKey('a', 'another body') };
  await expect(users.create('ada@example.com', other)).rejects.toThrow(RequestIdReused);
  expect(await db.rows('select email from user_service.users')).toEqual([{ email: 'eve@example.com' }]);
});

test('only a deleted user, and only in the state that was seen', async () => {
  const user = await users.create('ada@example.com');
  await users.openSession(user.id);
  await expect(purgeUser(users, change(user))).rejects.toThrow(UserNotDeleted);
  await deleteUser(users, change(user));
  await expect(purgeUser(users, change(user, etag(user)))).rejects.toThrow(EtagMismatch);
  expect(await db.rows('select 1 from user_service.sessions_history')).toHaveLength(1);
});

test('asked again with the same id, answers the same figures', async () => {
  const user = await users.create('ada@example.com');
  await users.openSession(user.id);
  await deleteUser(users, change(user));
  const asked = change(user, { requestKey: requestKey('p') });
  const first = await purgeUser(users, asked);
  expect(await purgeUser(users, asked)).toEqual(first);
  expect(
    await db.rows(`select 1 from user_service.security_events where event_type = 'user_purged'`),
  ).toHaveLength(1);
});

test('a history of 100,000 events and 20,000 sessions is erased by statements that are each short', async () => {
  const user = await users.create('ada@example.com');
  await db.rows(
    `insert into user_service.security_events (id, event_type, severity, description, user_id, device_id,
       personal_salt, personal_hash, created_at)
     select uuidv7(), 'login_succeeded', 'info', 'A user signed in.', $1, 'd', '\\x01', sha256('x'), now()
     from generate_series(1, 100000)`,
    [user.id],
  );
  await db.rows(
    `insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
     select uuidv7(), $1, now(), now(), now() from generate_series(1, 20000)`,
    [user.id],
  );
  await deleteUser(users, change(user));
  const tight = await openTight();
  await using _ = tight;
  const { sessions, securityEvents } = await purgeUser(tight.users, change(user));
  expect(sessions).toBe(20_000);
  expect(securityEvents).toBeGreaterThanOrEqual(100_000);
}, 60_000);

/** The same database, with statements that may take a fifth of what they usually may. */
async function openTight() {
  const orm = await MikroORM.init(ormOptions({ databaseUrl: db.url, statementTimeoutMs: 1000 }));
  return {
    users: new TestUsers({ ...db, orm }),
    [Symbol.asyncDispose]: () => orm.close(),
  };
}
