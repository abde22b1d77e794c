import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startPostgres } from '../../../stack/postgres-server.ts';
import { withTestClient } from '../../../testing/database-admin.ts';
import { stackDirectory } from '../../../testing/stack-directory.ts';
import { DatabaseUnavailable } from '../domain/errors.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { type DatabaseSettings, ormOptions } from './mikro-orm.config.ts';
import { query } from './sql.ts';
import { TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let opened: MikroORM[];
let pool: Pool | undefined;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(() => {
  opened = [];
  pool = undefined;
});
afterEach(async () => {
  for (const orm of opened) await orm.close();
});

async function open(settings: Partial<DatabaseSettings> = {}, idleTimeoutMillis = 30_000): Promise<MikroORM> {
  const options = ormOptions({
    databaseUrl: db.url,
    onPoolCreated: (created) => {
      pool = created;
    },
    ...settings,
  });
  const orm = await MikroORM.init({ ...options, pool: { ...options.pool, idleTimeoutMillis } });
  opened.push(orm);
  return orm;
}
/** Connections as the server counts them. */
const connections = async () =>
  (
    await db.rows(
      `select count(*)::int as n from pg_stat_activity
       where datname = current_database() and application_name = 'optix-identity'`,
    )
  )[0]?.['n'];
const backend = async (orm: MikroORM) =>
  (await query<{ pid: number }>(orm.em, 'select pg_backend_pid() as pid', []))[0]?.pid;
const rush = (orm: MikroORM, calls: number) =>
  Promise.all(Array.from({ length: calls }, () => query(orm.em, 'select pg_sleep(0.3)', [])));

test('the source’s figures are the defaults: 20 and 10 more, an hour', async () => {
  const orm = await open();
  await query(orm.em, 'select 1', []);
  expect(pool?.options).toMatchObject({
    min: 20,
    max: 30,
    idleTimeoutMillis: 30_000,
    maxLifetimeSeconds: 3600,
  });
});

test('a rush opens 30 connections and no more; who comes later waits and is served', async () => {
  const orm = await open();
  const rushing = rush(orm, 90);
  let most = 0;
  const watching = (async () => {
    for (let i = 0; i < 8; i++) {
      most = Math.max(most, Number(await connections()));
      await sleep(100);
    }
  })();
  expect(await rushing).toHaveLength(90);
  await watching;
  expect(most).toBe(30);
});

test('what a rush opened above the size is closed when it is idle; the rest stays', async () => {
  const orm = await open({ poolSize: 2, maxOverflow: 3 }, 150);
  await rush(orm, 10);
  expect(await connections()).toBe(5);
  await expect.poll(connections, { timeout: 5000 }).toBe(2);
  await sleep(400);
  expect(await connections()).toBe(2);
});

test.each([
  ['rests', 'select 1'],
  ['is in use', 'select pg_sleep(1.5)'],
])('a connection that %s at its age is replaced between two calls', async (_how, sql) => {
  const orm = await open({ poolSize: 1, maxOverflow: 0, recycleSeconds: 1 });
  const first = await backend(orm);
  expect(await backend(orm)).toBe(first);
  expect(await query(orm.em, sql, [])).toHaveLength(1);
  await sleep(1200);
  expect(await backend(orm)).not.toBe(first);
  expect(await connections()).toBe(1);
});

test('a server that restarted is not noticed by the next call', async () => {
  using directory = stackDirectory();
  const options = { dataDir: join(directory.path, 'postgres'), settings: { fsync: 'off' } };
  const first = await startPostgres(options);
  const orm = await open({ databaseUrl: first.url, poolSize: 3 });
  await Promise.all([1, 2, 3].map(() => query(orm.em, 'select 1', [])));
  await first.stop();
  await using _second = await startPostgres({ ...options, port: first.port });
  expect(await Promise.all([1, 2, 3].map((n) => query(orm.em, `select ${n} as n`, [])))).toEqual(
    [1, 2, 3].map((n) => [{ n }]),
  );
  await orm.close();
});

describe('transactions', () => {
  test('are READ COMMITTED', async () => {
    const orm = await open();
    const level = await orm.em
      .fork()
      .transactional((em) => query(em, `select current_setting('transaction_isolation') as level`, []));
    expect(level).toEqual([{ level: 'read committed' }]);
  });

  test('that register one address at once: the database’s uniqueness decides, one is registered', async () => {
    const identity = new TestIdentity({ orm: await open() });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 25 }, () => identity.register('race@example.com')),
    );
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(24);
    for (const { reason } of refused) expect(reason).toMatchObject({ name: 'EmailAlreadyRegistered' });
    expect(
      await db.rows(`select 1 from user_service.users where email_normalized = 'race@example.com'`),
    ).toHaveLength(1);
  });

  test('that wait for a lock give up after its time-out, and say that the database can not serve', async () => {
    const orm = await open({ lockTimeoutMs: 100 });
    await withTestClient(db.url, async (client) => {
      await client.query('begin; lock table user_service.users in access exclusive mode');
      const started = performance.now();
      await expect(query(orm.em, 'select 1 from user_service.users', [])).rejects.toThrow(
        DatabaseUnavailable,
      );
      expect(performance.now() - started).toBeLessThan(2000);
    });
  });

  test('that are left open are ended by the server, and hold their locks no longer', async () => {
    const orm = await open({ statementTimeoutMs: 100 });
    const forgotten = orm.em.fork().transactional(async (em) => {
      await query(em, 'lock table user_service.users in access exclusive mode', []);
      await sleep(1000);
      await query(em, 'select 1', []);
    });
    const ended = expect(forgotten).rejects.toMatchObject({ name: 'DatabaseUnavailable' });
    await expect
      .poll(
        () => db.rows(`set lock_timeout = '20ms'; select 1 from user_service.users`).catch(() => 'locked'),
        {
          timeout: 5000,
        },
      )
      .not.toBe('locked');
    await ended;
  });

  test('whose connection the server ends between two statements fail, and nothing else does', async () => {
    const orm = await open();
    const uncaught: unknown[] = [];
    const note = (error: unknown) => void uncaught.push(error);
    process.on('uncaughtException', note);
    onTestFinished(() => void process.off('uncaughtException', note));
    const work = withDatabaseErrors(() =>
      orm.em.fork().transactional(async (em) => {
        const [row] = await query<{ pid: number }>(em, 'select pg_backend_pid() as pid', []);
        await db.rows('select pg_terminate_backend($1)', [row?.pid]);
        // While nothing is asked, as where a password is hashed or a token signed.
        await sleep(200);
        await query(em, 'select 1', []);
      }),
    );
    await expect(work).rejects.toThrow(DatabaseUnavailable);
    expect(uncaught).toEqual([]);
    expect(await rush(orm, 30)).toHaveLength(30);
  });

  test('of which two wait for each other: one is asked to try again', async () => {
    const orm = await open({ lockTimeoutMs: 10_000 });
    await db.rows('create table public.two (n int primary key, changed int not null default 0)');
    await db.rows('insert into public.two values (1), (2)');
    const both = Promise.withResolvers<void>();
    let ready = 0;
    const change = async (first: number, second: number) =>
      await new TestIdentity({ orm }).unitOfWork.transactional(async () => {
        await orm.em.fork().transactional(async (em) => {
          await query(em, 'update public.two set changed = 1 where n = ?', [first]);
          if (++ready === 2) both.resolve();
          await both.promise;
          await query(em, 'update public.two set changed = 1 where n = ?', [second]);
        });
      });
    const outcomes = await Promise.allSettled([change(1, 2), change(2, 1)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const loser = outcomes.find((outcome) => outcome.status === 'rejected');
    expect(loser?.reason).toBeInstanceOf(DatabaseUnavailable);
  });
});
