import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { EmailAlreadyRegistered, HashingOverloaded, RateLimited, RequestIdReused } from '../domain/errors.ts';
import { getUser } from '../domain/get-user.ts';
import { PasswordHasher } from '../domain/password-hasher.ts';
import { TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let identity: TestIdentity;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.users, user_service.security_events, user_service.outgoing_mails, user_service.answered_requests cascade',
  );
  identity = new TestIdentity(db);
});

test('writes the account, and its event', async () => {
  const user = await identity.register('Ada@Example.com');
  expect(user).toMatchObject({ email: 'Ada@Example.com', status: 'active', roles: ['user'], version: 1 });
  expect(user.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);

  const [row] = await db.rows('select * from user_service.users');
  expect(row).toMatchObject({
    id: user.id,
    email: 'Ada@Example.com',
    email_normalized: 'ada@example.com',
    password_hash: expect.stringMatching(/^\$argon2id\$/),
    first_name: 'Ada',
    last_name: 'Lovelace',
    phone: '+4915112345678',
    status: 'active',
    mfa_enabled: false,
    created_at: user.createdAt,
    last_login_at: null,
    failed_login_attempts: 0,
    version: 1,
  });
  expect(await db.rows('select * from user_service.security_events')).toMatchObject([
    {
      event_type: 'user_created',
      severity: 'info',
      user_id: user.id,
      session_id: null,
      device_id: 'device-1',
      device_fingerprint: 'fp-1',
      ip_address: '2001:db8::7',
      user_agent: 'tests/1.0',
      metadata: { method: 'registration' },
      created_at: user.createdAt,
      resolved: false,
    },
  ]);
});

test('mails a token that verifies the address; none is kept in plain', async () => {
  const user = await identity.register('Ada@example.com');
  expect(await db.rows('select * from user_service.one_time_tokens')).toMatchObject([
    { user_id: user.id, purpose: 'email_verification', email_normalized: 'ada@example.com', used_at: null },
  ]);
  const [mail] = await db.rows('select * from user_service.outgoing_mails');
  expect(mail).toMatchObject({ user_id: user.id, attempts: 0 });
  expect(String(mail?.['payload'])).not.toMatch(/ada|verify|token/i);
});

test('where no mail is set up, sends none', async () => {
  Object.assign(identity.mail, { enabled: false });
  await identity.register('ada@example.com');
  expect(await db.rows('select 1 from user_service.one_time_tokens')).toEqual([]);
  expect(await db.rows('select 1 from user_service.outgoing_mails')).toEqual([]);
});

test('a retry of a request is answered as the first, of any number at once, and writes nothing more', async () => {
  const key = { caller: 'web', rpc: 'Register', requestId: 'r1', mac: Buffer.alloc(32, 1) };
  const users = await Promise.all(
    Array.from({ length: 20 }, () => identity.register('ada@example.com', undefined, key)),
  );
  expect(new Set(users.map(({ id }) => id)).size).toBe(1);
  expect(users.every((user) => user.createdAt.getTime() === users[0]?.createdAt.getTime())).toBe(true);
  expect(await db.rows('select 1 from user_service.security_events')).toHaveLength(1);
  await expect(
    identity.register('ada@example.com', undefined, { ...key, mac: Buffer.alloc(32, 2) }),
  ).rejects.toBeInstanceOf(RequestIdReused);
});

test('what was registered can be read', async () => {
  const user = await identity.register('ada@example.com');
  expect(await getUser(identity.users, user.id)).toEqual(user);
});

test('of 20 who register one address at once, one wins', async () => {
  identity.hasher = new PasswordHasher({ memoryKiB: 64, passes: 1, parallelism: 1, queueLimit: 20 });
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) =>
      identity.register(index % 2 ? 'ada@example.com' : 'ADA@Example.COM'),
    ),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of results.filter((settled) => settled.status === 'rejected')) {
    expect(result.reason).toBeInstanceOf(EmailAlreadyRegistered);
  }
  expect(await db.rows('select 1 from user_service.users')).toHaveLength(1);
  expect(await db.rows('select 1 from user_service.security_events')).toHaveLength(1);
});

test('the address of a deleted user is free again, and the deleted row keeps it', async () => {
  const first = await identity.register('ada@example.com');
  await db.rows(`update user_service.users set status = 'deleted', deleted_at = now()`);
  await expect(getUser(identity.users, first.id)).rejects.toThrow('there is no such user');
  const second = await identity.register('ada@example.com');
  expect(second.id).not.toBe(first.id);
  // Undeleting breaks the same index.
  await expect(
    db.rows(`update user_service.users set status = 'active', deleted_at = null where id = $1`, [first.id]),
  ).rejects.toThrow('users_email_normalized_unique');
});

test('an event that can not be written leaves no account', async () => {
  await db.rows(
    `alter table user_service.security_events add constraint test_refuses check (event_type = 'none')`,
  );
  try {
    await expect(identity.register('ada@example.com')).rejects.toMatchObject({
      name: 'DatabaseError',
      constraint: 'test_refuses',
    });
  } finally {
    await db.rows('alter table user_service.security_events drop constraint test_refuses');
  }
  expect(await db.rows('select 1 from user_service.users')).toEqual([]);
});

test('asks the limiter by address, by the network of an IPv6 one', async () => {
  await identity.register('ada@example.com');
  expect(identity.limiter.asked).toEqual([['auth_register', 'ip:2001:db8:0:0::/64']]);
});

test('what the limiter denies costs no hash and writes nothing', async () => {
  identity.limiter.deny = () => 1500;
  identity.hasher = new PasswordHasher({
    memoryKiB: 8,
    passes: 1,
    parallelism: 1,
    concurrency: 1,
    queueLimit: 0,
  });
  const results = await Promise.allSettled([1, 2, 3].map(() => identity.register('ada@example.com')));
  for (const result of results) expect(result).toMatchObject({ reason: new RateLimited(1500) });
  expect(await db.rows('select 1 from user_service.users')).toEqual([]);
});

test('past the bound of hashing: refused at once', async () => {
  identity.hasher = new PasswordHasher({
    memoryKiB: 64,
    passes: 1,
    parallelism: 1,
    concurrency: 1,
    queueLimit: 0,
  });
  const results = await Promise.allSettled(
    ['a', 'b', 'c'].map((name) => identity.register(`${name}@example.com`)),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const refusals = results.filter((settled) => settled.status === 'rejected');
  for (const { reason } of refusals) expect(reason).toBeInstanceOf(HashingOverloaded);
});

test('a caller that has gone gets no account', async () => {
  const gone = new AbortController();
  const registering = identity.register('ada@example.com', gone.signal);
  gone.abort(new Error('the caller has gone'));
  await expect(registering).rejects.toThrow('the caller has gone');
  expect(await db.rows('select 1 from user_service.users')).toEqual([]);
});

test('neither password nor hash is in an error, nor in the statement that the server sees', async () => {
  await identity.register('ada@example.com');
  const error = await identity.register('ada@example.com').catch((refusal: unknown) => refusal);
  expect(error).toBeInstanceOf(EmailAlreadyRegistered);
  expect(inspect(error, { showHidden: true })).not.toMatch(/argon2id|ada@example|horse/);
  // What its connections ran last.
  const seen = await db.rows('select query from pg_stat_activity where datname = current_database()');
  expect(seen.length).toBeGreaterThan(0);
  expect(JSON.stringify(seen)).not.toMatch(/argon2id|ada@example/);
});

test('a row that breaks a rule is refused without repeating its values', async () => {
  // The server's own message ends with the whole row, the hash included.
  await db.rows('alter table user_service.users add constraint test_refuses check (false) not valid');
  try {
    const error: Error = await identity.register('ada@example.com').then(
      () => new Error('it was accepted'),
      (refusal) => refusal,
    );
    expect(error).toMatchObject({ name: 'DatabaseError', sqlState: '23514', constraint: 'test_refuses' });
    expect(inspect(error, { showHidden: true })).not.toMatch(/argon2id|ada@example/);
  } finally {
    await db.rows('alter table user_service.users drop constraint test_refuses');
  }
});
