import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { DatabaseUnavailable } from '../domain/errors.ts';
import type { Uuid } from '../domain/uuid.ts';
import { ormOptions } from './mikro-orm.config.ts';
import { query } from './sql.ts';
import { TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestProxy } from './testing-proxy.ts';

const NOBODY = '019b0000-0000-7000-8000-000000000000' as Uuid;
const CONNECT_TIMEOUT_MS = 700;
const STATEMENT_TIMEOUT_MS = 400;
/** For a machine that is busy with other tests. Without its bound a call would take far longer than this. */
const SLACK_MS = 2000;

let db: TestOrm;
let proxy: TestProxy;
let orm: MikroORM;
let pool: Pool | undefined;
let lost: Error[];
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.users, user_service.signing_keys cascade');
  proxy = new TestProxy(db.url);
  await proxy.up();
  lost = [];
  orm = await MikroORM.init(
    ormOptions({
      databaseUrl: proxy.url,
      poolSize: 2,
      maxOverflow: 1,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      lockTimeoutMs: 200,
      onConnectionLost: (error) => lost.push(error),
      onPoolCreated: (created) => {
        pool = created;
      },
    }),
  );
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await orm.close();
});

/** How a call ends, and after how many milliseconds. */
async function outcome(call: () => Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const startedAt = performance.now();
  const error = await call().then(
    () => null,
    (failure: unknown) => failure,
  );
  return { error, ms: performance.now() - startedAt };
}

test('killed: every call is answered at once, and all is well when it is back', async () => {
  const identity = new TestIdentity({ orm });
  await identity.register('ada@example.com');
  await identity.signIn('ada@example.com');
  await proxy.down();

  for (const call of [
    () => identity.users.findById(NOBODY),
    () => identity.credentials.findCredentials('ada@example.com'),
    () => identity.register('eve@example.com'),
    () => identity.signIn('ada@example.com'),
    () => identity.sessions.find(NOBODY),
    () => new TestIdentity({ orm }).signingKeys.jwks(),
  ]) {
    const { error, ms } = await outcome(call);
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect(ms).toBeLessThan(CONNECT_TIMEOUT_MS + SLACK_MS);
  }

  await proxy.up();
  expect(await identity.sessions.find(NOBODY)).toBeNull();
  await identity.signIn('ada@example.com');
});

test('absent from the start: nothing but the calls fails, and they work once it is there', async () => {
  await proxy.down();
  const identity = new TestIdentity({ orm });
  expect((await outcome(() => identity.accessTokens.prepare())).error).toBeInstanceOf(DatabaseUnavailable);
  await proxy.up();
  await identity.accessTokens.prepare();
});

test('silent from the start: answered within the connect time-out', async () => {
  proxy.silence();
  const identity = new TestIdentity({ orm });
  const { error, ms } = await outcome(() => identity.users.findById(NOBODY));
  expect(error).toBeInstanceOf(DatabaseUnavailable);
  expect(ms).toBeGreaterThan(CONNECT_TIMEOUT_MS - 50);
  expect(ms).toBeLessThan(CONNECT_TIMEOUT_MS + SLACK_MS);
});

test('falls silent under use: the connections that hang are given up, not handed out again', async () => {
  const identity = new TestIdentity({ orm });
  await Promise.all([1, 2, 3].map(() => identity.users.findById(NOBODY)));
  expect(pool?.totalCount).toBe(3);
  proxy.silence();
  const hung = await Promise.all([1, 2, 3].map(() => outcome(() => identity.users.findById(NOBODY))));
  for (const { error, ms } of hung) {
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect(ms).toBeLessThan(STATEMENT_TIMEOUT_MS + SLACK_MS);
  }
  await expect.poll(() => pool?.totalCount, { timeout: SLACK_MS }).toBe(0);
  await proxy.restore();
  expect(await identity.users.findById(NOBODY)).toBeNull();
});

test('a transaction that hangs is given up as a whole', async () => {
  const identity = new TestIdentity({ orm });
  const { error, ms } = await outcome(() =>
    identity.unitOfWork.transactional(async ({ securityEvents }) => {
      await securityEvents.findById(NOBODY);
      proxy.silence();
      await securityEvents.findById(NOBODY);
    }),
  );
  expect(error).toBeInstanceOf(DatabaseUnavailable);
  expect(ms).toBeLessThan(STATEMENT_TIMEOUT_MS + SLACK_MS);
  await expect.poll(() => pool?.totalCount, { timeout: SLACK_MS }).toBe(0);
});

test('transactions that lose their connection cost the pool no place, however often', async () => {
  const identity = new TestIdentity({ orm });
  let lostWithin = 0;
  // Twice as many as there are places.
  for (let round = 0; round < 6; round++) {
    const { error } = await outcome(() =>
      identity.unitOfWork.transactional(async ({ securityEvents }) => {
        await securityEvents.findById(NOBODY);
        lostWithin += 1;
        await proxy.down();
        await securityEvents.findById(NOBODY);
      }),
    );
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    await proxy.up();
  }
  expect(lostWithin).toBe(6);
  await expect.poll(() => pool?.totalCount, { timeout: SLACK_MS }).toBe(0);
  expect(await identity.users.findById(NOBODY)).toBeNull();
});

test.each(['begin isolation level nonsense', 'rollback nonsense'])(
  'a connection on which `%s` fails is closed: nobody would ever release it',
  async (statement) => {
    await query(orm.em, 'select 1', []);
    const client = await pool?.connect();
    await expect(client?.query(statement)).rejects.toThrow('syntax error');
    await expect.poll(() => pool?.totalCount, { timeout: SLACK_MS }).toBe(0);
  },
);

test('a connection that is cut while it rests is replaced without a call noticing', async () => {
  const identity = new TestIdentity({ orm });
  await identity.users.findById(NOBODY);
  await withTestClient(db.url, (client) =>
    client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'optix-identity'`,
    ),
  );
  await expect.poll(() => lost.length).toBeGreaterThan(0);
  expect(await identity.users.findById(NOBODY)).toBeNull();
});

test('a connection that died in silence while it rested is found by a ping, and replaced', async () => {
  const identity = new TestIdentity({ orm });
  await identity.users.findById(NOBODY);
  proxy.silence();
  await proxy.restore();
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 6000);
  try {
    expect(await identity.users.findById(NOBODY)).toBeNull();
  } finally {
    vi.restoreAllMocks();
  }
});

test('all connections in use: who waits is answered within the connect time-out', async () => {
  const identity = new TestIdentity({ orm });
  const release = Promise.withResolvers<void>();
  const holding = [1, 2, 3].map(() =>
    identity.unitOfWork.transactional(async ({ securityEvents }) => {
      await securityEvents.findById(NOBODY);
      await release.promise;
    }),
  );
  await expect.poll(() => pool?.totalCount, { timeout: SLACK_MS }).toBe(3);
  const { error, ms } = await outcome(() => identity.users.findById(NOBODY));
  expect(error).toBeInstanceOf(DatabaseUnavailable);
  expect(ms).toBeLessThan(CONNECT_TIMEOUT_MS + SLACK_MS);
  release.resolve();
  await Promise.all(holding);
  expect(await identity.users.findById(NOBODY)).toBeNull();
});

test.each([
  ['a statement that takes too long', 'select pg_sleep(5)'],
  ['a server that is shutting down', 'select pg_terminate_backend(pg_backend_pid())'],
])('%s is the database being away', async (_case, sql) => {
  const { error, ms } = await outcome(() => query(orm.em, sql, []));
  expect(error).toBeInstanceOf(DatabaseUnavailable);
  expect(ms).toBeLessThan(STATEMENT_TIMEOUT_MS + SLACK_MS);
  expect(await query(orm.em, 'select 1 as one', [])).toEqual([{ one: 1 }]);
});

test('a lock that is not had in time is the database being away', async () => {
  const identity = new TestIdentity({ orm });
  const user = await identity.register('bob@example.com');
  await withTestClient(db.url, async (client) => {
    await client.query('begin');
    await client.query('select 1 from user_service.users where id = $1 for update', [user.id]);
    const { error, ms } = await outcome(() =>
      query(orm.em, 'update user_service.users set version = version where id = ?', [user.id]),
    );
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect(ms).toBeLessThan(STATEMENT_TIMEOUT_MS + SLACK_MS);
  });
});

test.each([
  ['a wrong port', 'postgresql://postgres@127.0.0.1:1/x'],
  ['a name that does not resolve', 'postgresql://postgres@database.invalid/x'],
])('%s is the database being away', async (_case, databaseUrl) => {
  const elsewhere = await MikroORM.init(ormOptions({ databaseUrl, connectTimeoutMs: 2000 }));
  const { error } = await outcome(() => query(elsewhere.em, 'select 1', []));
  expect(error).toBeInstanceOf(DatabaseUnavailable);
  await elsewhere.close();
});

test('the connections carry their name and their time-outs', async () => {
  const settings = await query(
    orm.em,
    `select name, setting from pg_settings
     where name in ('application_name', 'statement_timeout', 'lock_timeout') order by name`,
    [],
  );
  expect(settings).toEqual([
    { name: 'application_name', setting: 'optix-identity' },
    { name: 'lock_timeout', setting: '200' },
    { name: 'statement_timeout', setting: String(STATEMENT_TIMEOUT_MS) },
  ]);
  expect(pool?.options).toMatchObject({ min: 2, max: 3, maxLifetimeSeconds: 3600, keepAlive: true });
});
