import { readdir, readFile } from 'node:fs/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DatabaseUnavailable } from '../domain/errors.ts';
import { migrate, pendingMigrations } from './migrate.ts';
import { ormOptions } from './mikro-orm.config.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const MIGRATIONS = new URL('../../../migrations/', import.meta.url);

let db: TestOrm;
beforeEach(async () => {
  db = await openTestOrm({ migrated: false });
});
afterEach(() => db[Symbol.asyncDispose]());

const drift = () => db.orm.schema.getUpdateSchemaSQL({ wrap: false });
/** All tables but the migrator's own, with those that have partitions for all of these. */
const tables = async () =>
  (
    await db.rows(
      `select relname from pg_class where relnamespace = to_regnamespace('user_service')
         and relkind in ('r', 'p') and not relispartition and relname <> 'mikro_orm_migrations' order by relname`,
    )
  ).map((row) => row['relname']);
const functions = () =>
  db.rows(`select proname from pg_proc where pronamespace = to_regnamespace('user_service')`);

test('an empty database is brought up, down and up again', async () => {
  const all = await pendingMigrations(db.orm);
  expect(all.length).toBeGreaterThan(0);
  expect(await db.rows(`select 1 from pg_namespace where nspname = 'user_service'`)).toEqual([]);

  expect(await migrate(db.orm)).toEqual(all);
  expect(await pendingMigrations(db.orm)).toEqual([]);
  expect(await migrate(db.orm)).toEqual([]);
  expect(await tables()).toEqual([
    'answered_requests',
    'archived_users',
    'auth_challenges',
    'caller_keys',
    'maintenance_tasks',
    'one_time_tokens',
    'outgoing_mails',
    'passkeys',
    'recovery_codes',
    'refresh_token_families',
    'revocations',
    'security_event_checkpoints',
    'security_event_queue',
    'security_event_seals',
    'security_events',
    'sessions_history',
    'sign_in_throttles',
    'signing_keys',
    'totp_authenticators',
    'trusted_devices',
    'users',
  ]);

  await db.orm.migrator.down({ to: 0 });
  expect(await tables()).toEqual([]);
  expect(await functions()).toEqual([]);
  expect(await pendingMigrations(db.orm)).toEqual(all);

  expect(await migrate(db.orm)).toEqual(all);
  expect(await drift()).toBe('');
});

describe('entities and schema', () => {
  beforeEach(() => migrate(db.orm));

  test('say the same', async () => {
    expect(await drift()).toBe('');
  });

  test('the snapshot says the same as the entities', async () => {
    expect(await db.orm.migrator.checkSchema()).toBe(false);
  });

  // Shows that the comparison above would notice.
  test.each([
    'alter table user_service.users drop column phone',
    'alter table user_service.users drop constraint users_status_check',
    'alter table user_service.users alter column email drop not null',
    'drop index user_service.users_email_normalized_unique',
    `drop index user_service.users_email_normalized_unique;
     create unique index users_email_normalized_unique on user_service.users (email_normalized)`,
    `alter table user_service.users drop constraint users_roles_not_empty_check;
     alter table user_service.users add constraint users_roles_not_empty_check check (cardinality(roles) > 1)`,
    'alter table user_service.refresh_token_families drop constraint refresh_token_families_user_id_foreign',
    'alter table user_service.totp_authenticators drop constraint totp_authenticators_user_id_foreign',
    'drop index user_service.sessions_history_user_id_live_index',
    'drop table user_service.sign_in_throttles',
    'alter table user_service.signing_keys drop column activated_at',
    'drop index user_service.users_email_index',
    'drop index user_service.security_events_unresolved_index',
    'alter table user_service.security_events drop constraint security_events_personal_hash_check',
  ])('a difference is seen: %s', async (change) => {
    await db.rows(change);
    expect(await drift()).not.toBe('');
  });
});

test('replicas that start at once do not clash: one migrates, the others find it done', async () => {
  const all = await pendingMigrations(db.orm);
  const replicas = await Promise.all(
    Array.from({ length: 4 }, () => MikroORM.init(ormOptions({ databaseUrl: db.url }))),
  );
  const done = await Promise.all(replicas.map((replica) => migrate(replica)));
  await Promise.all(replicas.map((replica) => replica.close()));
  expect(done.filter((names) => names.length > 0)).toEqual([all]);
  expect(await drift()).toBe('');
});

test('a migration that fails leaves nothing behind', async () => {
  // In the way of the initial migration's last tables.
  await db.rows('create schema user_service; create table user_service.refresh_token_families (id int)');
  await expect(migrate(db.orm)).rejects.toMatchObject({ name: 'DatabaseError', sqlState: '42P07' });
  expect(await tables()).toEqual(['refresh_token_families']);
});

test('a schema that is newer than the program is nothing to migrate: the version before goes on', async () => {
  await migrate(db.orm);
  await db.rows(
    `insert into user_service.mikro_orm_migrations (name) values ('Migration20991231000000_later')`,
  );
  expect(await pendingMigrations(db.orm)).toEqual([]);
  expect(await migrate(db.orm)).toEqual([]);
});

test('running migrations writes no files', async () => {
  const contents = async () =>
    Promise.all(
      (await readdir(MIGRATIONS)).map(async (name) => [
        name,
        await readFile(new URL(name, MIGRATIONS), 'utf8'),
      ]),
    );
  const before = await contents();
  await migrate(db.orm);
  expect(await contents()).toEqual(before);
});

test('without a database: an error that says so', async () => {
  const orm = await MikroORM.init(ormOptions({ databaseUrl: 'postgresql://nobody@127.0.0.1:1/none' }));
  await expect(migrate(orm)).rejects.toThrow(DatabaseUnavailable);
  await expect(pendingMigrations(orm)).rejects.toThrow(DatabaseUnavailable);
  await orm.close();
});

test('looking for pending migrations writes nothing', async () => {
  await pendingMigrations(db.orm);
  expect(await db.rows(`select 1 from pg_namespace where nspname = 'user_service'`)).toEqual([]);
});
