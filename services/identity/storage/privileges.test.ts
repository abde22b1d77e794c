import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/postgresql';
import { Client } from 'pg';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrateDatabase } from '../../../stack/migrate-database.ts';
import { type PostgresServer, startPostgres } from '../../../stack/postgres-server.ts';
import { withTestClient } from '../../../testing/database-admin.ts';
import { stackDirectory } from '../../../testing/stack-directory.ts';
import type { Uuid } from '../domain/uuid.ts';
import { DatabaseProbe } from './database-probe.ts';
import { PartitionRepository } from './maintenance-partitions.ts';
import { StatisticsRepository } from './maintenance-statistics.ts';
import { ormOptions } from './mikro-orm.config.ts';
import { SecurityEventRepository } from './security-event-repository.ts';
import { query } from './sql.ts';
import { TestIdentity } from './testing-identity.ts';
import { type KnownRow, repositoryCalls } from './testing-queries.ts';

const ROLES = ['optix_owner', 'optix_identity', 'optix_readonly'] as const;
type Role = (typeof ROLES)[number];

/** A server of its own: roles are the whole server's, and others of these tests migrate at the same time. */
let server: PostgresServer;
let service: MikroORM;
const directory = stackDirectory();
beforeAll(async () => {
  server = await startPostgres({ dataDir: join(directory.path, 'postgres'), settings: { fsync: 'off' } });
  const roles = await readFile(new URL('../../../deploy/postgres/sql/roles.sql', import.meta.url), 'utf8');
  await withTestClient(server.url, async (client) => {
    await client.query(roles);
    // Safe to run again.
    await client.query(roles);
    for (const role of ROLES) await client.query(`alter role ${role} login password '${role}'`);
  });
  await migrateDatabase(urlOf('optix_owner'));
  service = await MikroORM.init(ormOptions({ databaseUrl: urlOf('optix_identity'), poolSize: 3 }));
});
afterAll(async () => {
  await service?.close();
  await server?.stop();
  directory[Symbol.dispose]();
});

function urlOf(role: Role): string {
  const url = new URL(server.url);
  url.username = role;
  url.password = role;
  return url.href;
}
const as = (role: Role, sql: string, params: unknown[] = []) =>
  withTestClient(urlOf(role), async (client) => (await client.query(sql, params)).rows);
const asSuperuser = (sql: string, params: unknown[] = []) =>
  withTestClient(server.url, async (client) => (await client.query(sql, params)).rows);
const DENIED = { code: '42501' };

describe('optix_identity', () => {
  test('serves: registers, signs in, refuses, reads, and is ready', async () => {
    const identity = new TestIdentity({ orm: service });
    const { id } = await identity.register('ada@example.com');
    await identity.signIn('ada@example.com');
    await expect(identity.signIn('ada@example.com', 'another password')).rejects.toThrow();
    expect(await identity.users.findById(id)).toMatchObject({ id });

    using probe = new DatabaseProbe(service, urlOf('optix_identity'));
    await probe.probe(AbortSignal.timeout(5000));
  });

  const known: KnownRow = {
    user: uuidV7() as Uuid,
    session: uuidV7() as Uuid,
    family: uuidV7() as Uuid,
    event: uuidV7() as Uuid,
    device: uuidV7() as Uuid,
    mail: uuidV7() as Uuid,
  };

  test.each(Object.entries(repositoryCalls(known)))('may do what %s does', async (_name, call) => {
    const em = service.em.fork();
    await em.begin();
    try {
      // There are no rows: some say so, and what refers to one of them is refused for that. What the server refuses else is
      // a DatabaseError.
      const error: unknown = await call(em).then(
        () => null,
        (failure: unknown) => failure,
      );
      if (error === null || (error as { sqlState?: string }).sqlState === '23503') return;
      expect(error).not.toMatchObject({ name: 'DatabaseError' });
    } finally {
      await em.rollback();
    }
  });

  test('keeps partitions, which it can not make itself', async () => {
    const [last] = await as(
      'optix_owner',
      `select 'sessions_history_' || to_char(now() at time zone 'UTC' + interval '3 months', 'YYYY_MM') as name`,
    );
    await as('optix_owner', `drop table user_service.${last.name} cascade`);
    expect(await new PartitionRepository(service.em).ensure('sessions_history', 3)).toEqual([last.name]);
  });

  test('drops old months and refreshes statistics, by functions of the owner’s', async () => {
    const before = new Date(Date.now() - 60 * 24 * 3_600_000);
    await as('optix_owner', `select user_service.ensure_partitions('sessions_history', $1, 0)`, [
      new Date(before.getTime() - 32 * 24 * 3_600_000),
    ]);
    const dropped = await new PartitionRepository(service.em).dropOldest('sessions_history', before);
    expect(dropped).toHaveLength(1);
    await new StatisticsRepository(service.em).refresh('users');
    await new StatisticsRepository(service.em).refresh('security_events');
  });

  test('reads, resolves and erases in the audit log', async () => {
    const events = new SecurityEventRepository(service.em);
    const userId = uuidV7() as Uuid;
    const id = uuidV7() as Uuid;
    await events.append({
      id,
      type: 'login_failed',
      severity: 'high',
      description: 'x',
      userId,
      sessionId: null,
      device: { id: 'd', fingerprint: null, name: null, ipAddress: null, userAgent: null },
      metadata: {},
      createdAt: new Date(),
    });
    expect(await events.resolve(id, { at: new Date(), by: 'operator', note: null })).toMatchObject({ id });
    expect(await events.erasePersonal(userId)).toBe(1);
  });

  test('asks what read routing asks', async () => {
    const asked =
      'select pg_current_wal_insert_lsn(), system_identifier, pg_is_in_recovery() from pg_control_system()';
    expect(await query(service.em, asked, [])).toHaveLength(1);
  });

  test.each([
    ['change what an event says', `update user_service.security_events set description = 'nothing happened'`],
    ['change when it was', 'update user_service.security_events set created_at = now()'],
    ['change what vouches for it', 'update user_service.security_events set personal_hash = null'],
    ['delete events', 'delete from user_service.security_events'],
    ['empty the log', 'truncate user_service.security_events'],
    ['delete events from a partition', 'delete from user_service.security_events_default'],
    ['change events in a partition', `update user_service.security_events_default set description = ''`],
    ['change what a revocation says', `update user_service.revocations set expires_at = 'epoch'`],
    ['empty a table', 'truncate user_service.users cascade'],
    ['drop a partition', 'drop table user_service.sessions_history_default'],
    [
      'move the beginning of the chain',
      `select user_service.write_checkpoint('ffffffff-0000-0000-0000-000000000000')`,
    ],
    ['make tables', 'create table user_service.mine (id int)'],
    ['make tables elsewhere', 'create table public.mine (id int)'],
    ['make temporary tables', 'create temporary table mine (id int)'],
    ['make schemas', 'create schema mine'],
    ['change tables', 'alter table user_service.users add column admin boolean'],
    ['drop tables', 'drop table user_service.users'],
    ['say that a migration ran', `delete from user_service.mikro_orm_migrations`],
    ['replace functions', 'drop function user_service.uuid_floor(timestamptz)'],
    ['make roles', 'create role mine'],
    ['become the owner', 'set role optix_owner'],
    ['read files of the server', `select pg_read_file('postgresql.conf')`],
  ])('may not %s', async (_what, sql) => {
    await expect(as('optix_identity', sql)).rejects.toMatchObject(DENIED);
  });

  test('a partition made later is no way around either', async () => {
    const [name] = await as(
      'optix_identity',
      `select user_service.ensure_partitions('security_events', null, 6) as name`,
    );
    await expect(as('optix_identity', `delete from user_service.${name.name}`)).rejects.toMatchObject(DENIED);
    await expect(as('optix_readonly', `select from user_service.${name.name}`)).rejects.toMatchObject(DENIED);
  });
});

describe('optix_readonly', () => {
  test.each([
    ['users', 'password_hash'],
    ['totp_authenticators', 'secret'],
    ['recovery_codes', 'code_hash'],
    ['auth_challenges', 'token_hash'],
    ['auth_challenges', 'password_digest'],
    ['auth_challenges', 'webauthn_challenge'],
    ['refresh_token_families', 'current_token_hash'],
    ['refresh_token_families', 'previous_token_hash'],
    ['refresh_token_families', 'previous_answer'],
    ['trusted_devices', 'trust_token_hash'],
    ['one_time_tokens', 'token_hash'],
    ['caller_keys', 'key_hash'],
    ['signing_keys', 'private_key'],
    ['outgoing_mails', 'payload'],
    ['answered_requests', 'answer'],
    ['answered_requests', 'request_mac'],
    ['security_events', 'personal_salt'],
  ])('may not read %s.%s', async (table, column) => {
    await expect(as('optix_readonly', `select ${column} from user_service.${table}`)).rejects.toMatchObject(
      DENIED,
    );
    // In no other way either.
    await expect(as('optix_readonly', `select t::text from user_service.${table} t`)).rejects.toMatchObject(
      DENIED,
    );
  });

  test('reads everything else of every table', async () => {
    const columns: { table_name: string; columns: string }[] = await as(
      'optix_readonly',
      `select table_name, string_agg(column_name, ', ') as columns from information_schema.column_privileges
       where table_schema = 'user_service' and grantee = 'optix_readonly' and privilege_type = 'SELECT' group by 1`,
    );
    for (const { table_name, columns: list } of columns) {
      await as('optix_readonly', `select ${list} from user_service.${table_name}`);
    }
    const tables = await asSuperuser(
      `select relname from pg_class where relnamespace = 'user_service'::regnamespace and relkind in ('r', 'p')
         and not relispartition`,
    );
    expect(columns.map(({ table_name }) => table_name).sort()).toEqual(
      tables.map(({ relname }) => relname).sort(),
    );
  });

  test.each([
    'insert into user_service.sign_in_throttles values ($$n$$, 1, now(), null)',
    `update user_service.users set roles = '{admin}'`,
    'delete from user_service.revocations',
    `select user_service.ensure_partitions('security_events', null, 9)`,
    'create table public.mine (id int)',
  ])('may not write: %s', async (sql) => {
    await expect(as('optix_readonly', sql)).rejects.toMatchObject(DENIED);
  });
});

test('every table is spoken of: optix_identity reads and adds to each but the checkpoints, which retention writes', async () => {
  const silent = await asSuperuser(
    `select relname from pg_class where relnamespace = 'user_service'::regnamespace and relkind in ('r', 'p')
       and not relispartition and relname not in ('mikro_orm_migrations', 'security_event_checkpoints')
       and not (has_table_privilege('optix_identity', oid, 'SELECT') and has_table_privilege('optix_identity', oid, 'INSERT'))`,
  );
  expect(silent).toEqual([]);
});

test('a table that no grant names is closed, and a further migration takes away what was given by hand', async () => {
  await as('optix_owner', 'create table user_service.later (id int)');
  await expect(as('optix_identity', 'select from user_service.later')).rejects.toMatchObject(DENIED);
  await as('optix_owner', 'grant delete on user_service.security_events to optix_identity');
  await migrateDatabase(urlOf('optix_owner'));
  await expect(as('optix_identity', 'delete from user_service.security_events')).rejects.toMatchObject(
    DENIED,
  );
  await as('optix_owner', 'drop table user_service.later');
});

test('nobody else gets in', async () => {
  await asSuperuser(`create role stranger login password 'stranger'`);
  const url = new URL(server.url);
  url.username = 'stranger';
  url.password = 'stranger';
  const client = new Client({ connectionString: url.href });
  await expect(client.connect()).rejects.toMatchObject(DENIED);
});
