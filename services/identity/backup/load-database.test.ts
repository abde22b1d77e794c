import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidV7 } from 'uuid';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { migrate } from '../storage/migrate.ts';
import { openTestOrm, type TestOrm } from '../storage/testing-orm.ts';
import { loadDatabase } from './load-database.ts';
import { knownMigrations } from './schema-level.ts';
import { dumpToMemory } from './testing-dump.ts';

const MONTH_MS = 30 * 24 * 3_600_000;
const LEVELS = knownMigrations();
const KEEP = { keepSessions: true, beforeCommit: async () => undefined };

let resources: AsyncDisposableStack;
beforeEach(() => {
  resources = new AsyncDisposableStack();
});
afterEach(() => resources.disposeAsync());

async function emptyDatabase(): Promise<TestOrm> {
  return resources.use(await openTestOrm({ migrated: false }));
}

/** Rows that every version of the schema can hold: users, and of half a year sessions with families, and events. */
async function fill(db: TestOrm): Promise<void> {
  await db.rows(`
    insert into user_service.users (id, email, email_normalized, roles, status, created_at, updated_at, deleted_at)
    select gen_random_uuid(), n || E'\\t\\n\\\\N"@Example.com', n || '@example.com', array['user', 'admin'],
      case n when 1 then 'deleted' else 'active' end, now(), now(), case n when 1 then now() end
    from generate_series(1, 3) as n`);
  const times = Array.from({ length: 12 }, (_, half) => new Date(Date.now() - (half * MONTH_MS) / 2));
  await db.rows(
    `with made as (
       select id, at, owner from unnest($1::uuid[], $2::timestamptz[]) with ordinality as made (id, at, place)
         join (select id as owner, row_number() over () as number from user_service.users) as owners
           on number = place % 3 + 1),
     sessions as (
       insert into user_service.sessions_history (id, user_id, ip_address, created_at, expires_at, last_activity_at)
       select id, owner, '2001:db8::7', at, now() + interval '1 day', at from made returning id, user_id, created_at),
     families as (
       insert into user_service.refresh_token_families
         (id, user_id, session_id, created_at, expires_at, current_token_hash)
       select id, user_id, id, created_at, now() + interval '1 day', sha256(id::text::bytea) from sessions)
     insert into user_service.security_events (id, event_type, severity, description, user_id, metadata, created_at)
     select id, 'login_failed', 'high', E'two\\nlines', owner, '{"reason": "a\\\\b"}', at from made`,
    [times.map((at) => uuidV7({ msecs: at.getTime() })), times],
  );
}

const TABLES = ['users', 'sessions_history', 'refresh_token_families', 'security_events'];
async function contents(db: TestOrm): Promise<unknown[][]> {
  return await Promise.all(TABLES.map((table) => db.rows(`select * from user_service.${table} order by id`)));
}

describe.each(LEVELS)('a dump of %s', (level) => {
  it('has every row again after it was loaded, in the newest version', async () => {
    const source = await emptyDatabase();
    await source.orm.migrator.up({ to: level });
    await fill(source);
    const { dump, open } = await dumpToMemory(source.url);
    expect(dump.migrations).toEqual(LEVELS.slice(0, LEVELS.indexOf(level) + 1));
    const target = await emptyDatabase();
    const loaded = await loadDatabase(target.url, dump, { ...KEEP, open });
    expect(loaded.migrated).toEqual(LEVELS.slice(LEVELS.indexOf(level) + 1));

    // What migrating alone makes of it.
    await migrate(source.orm);
    const [users, sessions, families, events = []] = await contents(target);
    const [usersBefore, sessionsBefore, familiesBefore, eventsBefore = []] = await contents(source);
    expect([users, sessions, families]).toEqual([usersBefore, sessionsBefore, familiesBefore]);
    expect(events.slice(0, -1)).toEqual(eventsBefore);
    expect(events.at(-1)).toMatchObject({ event_type: 'database_restored', severity: 'high' });
    for (const table of ['sessions_history', 'security_events']) {
      expect(await target.rows(`select id from user_service.${table}_default`)).toEqual([]);
    }
  });
});

it('loads into a schema that is of another version, as long as it has no rows', async () => {
  const source = await emptyDatabase();
  await source.orm.migrator.up({ to: LEVELS[1] ?? '' });
  await fill(source);
  const { dump, open } = await dumpToMemory(source.url);
  for (const level of [LEVELS[0], LEVELS.at(-1)]) {
    const target = await emptyDatabase();
    await target.orm.migrator.up({ to: level ?? '' });
    await loadDatabase(target.url, dump, { ...KEEP, open });
    expect(await target.rows('select id from user_service.users')).toHaveLength(3);
    expect(await target.orm.schema.getUpdateSchemaSQL({ wrap: false })).toBe('');
  }
});

describe('changes nothing', () => {
  const nothing = async (db: TestOrm) => {
    const [found] = await db.rows(`select to_regclass('user_service.users') as users`);
    if (found?.['users'] !== null) expect(await db.rows('select * from user_service.users')).toEqual([]);
  };

  it('where the dump is of a newer version', async () => {
    const source = await emptyDatabase();
    await migrate(source.orm);
    const { dump, open } = await dumpToMemory(source.url);
    const newer = { ...dump, migrations: [...dump.migrations, 'Migration20991231235959_later'] };
    const target = await emptyDatabase();
    await expect(loadDatabase(target.url, newer, { ...KEEP, open })).rejects.toThrow(
      'this program does not have Migration20991231235959_later',
    );
    await nothing(target);
  });

  it('where there are rows, and names the tables', async () => {
    const source = await emptyDatabase();
    await migrate(source.orm);
    await fill(source);
    const { dump, open } = await dumpToMemory(source.url);
    await expect(loadDatabase(source.url, dump, { ...KEEP, open })).rejects.toThrow(
      /^the database has rows, in refresh_token_families \(12\), security_events \(12\), sessions_history \(12\), users \(3\): /,
    );
  });

  it('where what is done before the commit fails, or a table has fewer rows than the dump says', async () => {
    const source = await emptyDatabase();
    await migrate(source.orm);
    await fill(source);
    const { dump, open } = await dumpToMemory(source.url);
    const target = await emptyDatabase();
    const beforeCommit = async () => {
      throw new Error('Redis is away');
    };
    await expect(loadDatabase(target.url, dump, { ...KEEP, open, beforeCommit })).rejects.toThrow(
      'Redis is away',
    );
    await nothing(target);
    const tables = dump.tables.map((table) => ({ ...table, rows: table.rows + 1 }));
    await expect(loadDatabase(target.url, { ...dump, tables }, { ...KEEP, open })).rejects.toThrow(
      / has \d+ rows, and not the \d+ of the manifest/,
    );
    await nothing(target);
    const fewer = dump.tables.filter(({ name }) => name !== 'security_events');
    await expect(loadDatabase(target.url, { ...dump, tables: fewer }, { ...KEEP, open })).rejects.toThrow(
      'the backup lacks the tables security_events',
    );
    await nothing(target);
    expect((await loadDatabase(target.url, dump, { ...KEEP, open })).rows).toBe(39);
  });
});

it('what somebody else had put into the schema is left out and named: the rest is restored', async () => {
  const source = await emptyDatabase();
  await migrate(source.orm);
  await fill(source);
  await source.rows(`create table user_service.notes (id int, "user" uuid references user_service.users)`);
  await source.rows('insert into user_service.notes values (1)');
  await source.rows('create table user_service."Users of May" as select * from user_service.users');
  await source.rows(
    `alter table user_service.users add column note jsonb default '{"a": 1}', add column "Note" text`,
  );
  await source.rows('create sequence user_service.notes_seq');
  await source.rows(`select nextval('user_service.notes_seq')`);
  const { dump, open } = await dumpToMemory(source.url);
  const target = await emptyDatabase();
  const loaded = await loadDatabase(target.url, dump, { ...KEEP, open });
  expect(loaded).toMatchObject({ rows: 39, leftOut: ['notes', 'users.note', 'notes_seq'] });
  await source.rows('alter table user_service.users drop column note, drop column "Note"');
  const [users] = await contents(target);
  const [usersBefore] = await contents(source);
  expect(users).toEqual(usersBefore);
  expect(await target.orm.schema.getUpdateSchemaSQL({ wrap: false })).toBe('');
});

it('time-outs and forms of values that a database or role is set to change nothing', async () => {
  const source = await emptyDatabase();
  await migrate(source.orm);
  await fill(source);
  const target = await emptyDatabase();
  for (const { url, rows } of [source, target]) {
    const name = new URL(url).pathname.slice(1);
    for (const setting of [
      ...["statement_timeout = '20ms'", "idle_in_transaction_session_timeout = '20ms'"],
      ...["transaction_timeout = '60ms'", "datestyle = 'SQL, DMY'", "timezone = 'Asia/Kolkata'"],
      ...["bytea_output = 'escape'", "client_encoding = 'LATIN1'", "intervalstyle = 'iso_8601'"],
    ]) {
      await rows(`alter database ${name} set ${setting}`);
    }
  }
  const { dump, open } = await dumpToMemory(source.url);
  await sleep(100);
  const beforeCommit = async () => await sleep(100);
  expect((await loadDatabase(target.url, dump, { ...KEEP, open, beforeCommit })).rows).toBe(39);
  for (const { url, rows } of [source, target]) {
    await rows(`alter database ${new URL(url).pathname.slice(1)} reset all`);
  }
  expect((await contents(target)).slice(0, 3)).toEqual((await contents(source)).slice(0, 3));
});

describe('a dump is refused', () => {
  it('by a role that may not read a sequence: PostgreSQL would say that it was never used', async () => {
    const source = await emptyDatabase();
    await migrate(source.orm);
    const role = `reader_${uuidV7().replaceAll('-', '')}`;
    await source.rows(`create role ${role} login password 'x'`);
    try {
      await source.rows(`grant usage on schema user_service to ${role}`);
      await source.rows(`grant select on all tables in schema user_service to ${role}`);
      const url = new URL(source.url);
      Object.assign(url, { username: role, password: 'x' });
      await expect(dumpToMemory(url.href)).rejects.toThrow(
        'permission denied for sequence revocations_id_seq: give DATABASE_URL the role of identity',
      );
    } finally {
      await source.rows(`drop owned by ${role}`);
      await source.rows(`drop role ${role}`);
    }
  });

  it('at once where it is interrupted, also while it waits for a lock', async () => {
    const source = await emptyDatabase();
    await migrate(source.orm);
    await withTestClient(source.url, async (client) => {
      await client.query('begin; lock table user_service.users');
      const interruption = new AbortController();
      const dumping = dumpToMemory(source.url, interruption.signal);
      const refused = expect(dumping).rejects.toThrow('Connection terminated');
      for (;;) {
        const { rows } = await client.query(
          'select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())',
        );
        if (rows.length > 0) break;
        await sleep(5);
      }
      interruption.abort();
      await refused;
    });
  });
});

it('a dump in which rows appear meanwhile has none of them, nor has it what came with them', async () => {
  const source = await emptyDatabase();
  await migrate(source.orm);
  await fill(source);
  let isStopped = false;
  const writing = (async () => {
    for (let n = 10; !isStopped; n++) {
      await source.rows(
        `with added as (
           insert into user_service.users (id, email, email_normalized, roles, created_at, updated_at)
           values (gen_random_uuid(), $1, $1, array['user'], now(), now()) returning id)
         insert into user_service.sign_in_throttles (network, failures, last_failure_at) select id::text, 1, now() from added`,
        [`${n}@example.com`],
      );
    }
  })();
  for (let dumps = 0; dumps < 5; dumps++) {
    const { dump } = await dumpToMemory(source.url);
    const rowsOf = (wanted: string) => dump.tables.find(({ name }) => name === wanted)?.rows ?? 0;
    // Written by one transaction each, besides the three from before.
    expect(rowsOf('users') - 3).toBe(rowsOf('sign_in_throttles'));
  }
  isStopped = true;
  await writing;
});
