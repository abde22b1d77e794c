import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrateDatabase } from '../../../../stack/migrate-database.ts';
import { type PostgresServer, startPostgres } from '../../../../stack/postgres-server.ts';
import { withTestClient } from '../../../../testing/database-admin.ts';
import { stackDirectory } from '../../../../testing/stack-directory.ts';
import { verifyChain } from '../../domain/audit/verify-chain.ts';
import { ormOptions } from '../mikro-orm.config.ts';
import { TestAuditLog } from './testing-audit-log.ts';

/** A server of its own: roles are the whole server's. */
let server: PostgresServer;
let service: MikroORM;
let log: TestAuditLog;
const directory = stackDirectory();
beforeAll(async () => {
  server = await startPostgres({ dataDir: join(directory.path, 'postgres'), settings: { fsync: 'off' } });
  const roles = await readFile(new URL('../../../../deploy/postgres/sql/roles.sql', import.meta.url), 'utf8');
  await withTestClient(server.url, async (client) => {
    await client.query(roles);
    for (const role of ['optix_owner', 'optix_identity'] as const) {
      await client.query(`alter role ${role} login password '${role}'`);
    }
  });
  await migrateDatabase(urlOf('optix_owner'));
  service = await MikroORM.init(ormOptions({ databaseUrl: urlOf('optix_identity'), poolSize: 3 }));
  log = new TestAuditLog({
    url: server.url,
    orm: service,
    rows: (sql, params) => as(sql, params),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
afterAll(async () => {
  await log?.[Symbol.asyncDispose]();
  await service?.close();
  await server?.stop();
  directory[Symbol.dispose]();
});

function urlOf(role: 'optix_owner' | 'optix_identity'): string {
  const url = new URL(server.url);
  url.username = role;
  url.password = role;
  return url.href;
}
const as = (sql: string, params: unknown[] = []) =>
  withTestClient(urlOf('optix_identity'), async (client) => (await client.query(sql, params)).rows);

test('the service’s role adds events, seals them, follows and verifies them', async () => {
  const events = await log.appendMany(5);
  log.startSealer();
  await log.sealed();
  expect(await verifyChain(log.chain)).toMatchObject({ verified: 5n, findings: [] });
  for await (const part of log.watch.watch(
    'beginning',
    { types: [], minSeverity: null },
    new AbortController().signal,
  )) {
    if (part.entries.length > 0) break;
  }
  expect(await log.events.findById(events[0]?.id as never)).toMatchObject({ sequence: 1n });
  expect(log.failures).toEqual([]);
});

test.each([
  ['change an event', `update user_service.security_events set event_type = 'x'`],
  ['change its severity', `update user_service.security_events set severity = 'info'`],
  ['change its metadata', `update user_service.security_events set metadata = '{}'`],
  ['delete events', 'delete from user_service.security_events'],
  ['change a seal', `update user_service.security_event_seals set event_hash = sha256('x')`],
  ['change the order', 'update user_service.security_event_seals set sequence = sequence + 1'],
  ['delete seals', 'delete from user_service.security_event_seals'],
  ['empty the seals', 'truncate user_service.security_event_seals'],
  ['lock out others’ seals', 'begin; lock table user_service.security_event_seals in access exclusive mode'],
  ['delete seals from a partition', 'delete from user_service.security_event_seals_default'],
  [
    'pretend that retention dropped the rest',
    `insert into user_service.security_event_checkpoints values (9, sha256('x'), gen_random_uuid())`,
  ],
  ['change what waits', 'update user_service.security_event_queue set event_id = gen_random_uuid()'],
])('the service’s role may not %s', async (_what, sql) => {
  await expect(as(sql)).rejects.toMatchObject({ code: '42501' });
});

test('the service’s role can’t have the owner’s functions run its own code, where it may make temporary types', async () => {
  const database = new URL(server.url).pathname.slice(1);
  await withTestClient(server.url, (client) =>
    client.query(`grant temporary on database ${database} to optix_identity`),
  );
  await log.append();
  await withTestClient(urlOf('optix_identity'), async (client) => {
    await client.query(`create temp table who_ran (name text)`);
    await client.query(`grant insert on who_ran to public`);
    await client.query(
      `create function pg_temp.spy(what text) returns boolean language plpgsql as $$
       begin insert into pg_temp.who_ran values (current_user); return true; end $$`,
    );
    for (const type of ['uuid', 'text']) {
      await client.query(
        `create domain pg_temp.${type} as pg_catalog.${type} check (pg_temp.spy(value::pg_catalog.text))`,
      );
      await client.query(`grant usage on type pg_temp.${type} to public`);
    }
    for (const table of ['pg_class', 'pg_inherits']) {
      await client.query(`create temp table ${table} as select * from pg_catalog.${table} with no data`);
    }
    const before = `'2020-01-01'::timestamptz`;
    await client.query(`select user_service.ensure_partitions('sessions_history', null, 3)`);
    for (const table of ['sessions_history', 'security_events']) {
      await client.query(`select user_service.drop_partitions('${table}', ${before})`);
    }
    await client.query(`select user_service.uuid_floor(${before})`);
    // With the table in the place of the system's it would know no table.
    await client.query(`select user_service.analyze_table('users')`);
    expect((await client.query('select * from pg_temp.who_ran')).rows).toEqual([]);
  });
});
