import { readFile } from 'node:fs/promises';
import { v7 as uuidV7 } from 'uuid';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { PARTITIONED_TABLES } from '../domain/maintenance/partitions.ts';
import { query } from './sql.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
beforeEach(async () => {
  db = await openTestOrm();
});
afterEach(() => db[Symbol.asyncDispose]());

/** `_2026_11` of the month that many months from now, by the server's clock. */
async function suffix(months: number): Promise<string> {
  const [row] = await db.rows(
    `select to_char((now() at time zone 'UTC')::timestamp + make_interval(months => $1), '"_"YYYY"_"MM') as text`,
    [months],
  );
  return String(row?.['text']);
}
const namesOf = async (table: string, months: readonly number[]) =>
  await Promise.all(months.map(async (month) => table + (await suffix(month))));
const partitions = async (table: string) =>
  (
    await db.rows(
      `select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = ('user_service.' || $1)::regclass order by 1`,
      [table],
    )
  ).map((row) => row['relname']);
const ensure = async (table: string | null, since: string | null, ahead: number | null) =>
  (await db.rows('select user_service.ensure_partitions($1, $2, $3) as name', [table, since, ahead])).map(
    (row) => row['name'],
  );
const dropPartition = async (table: string, month: number) => {
  const [name] = await namesOf(table, [month]);
  await db.rows(`drop table user_service.${name} cascade`);
  return name;
};
const appendEvent = (id: string) =>
  db.rows(
    `insert into user_service.security_events (id, event_type, severity, description, created_at)
     values ($1, 'x', 'info', 'x', now()) returning tableoid::regclass::text as partition`,
    [id],
  );
const addUser = `insert into user_service.users (id, email, email_normalized, roles, created_at, updated_at)
  values (gen_random_uuid(), 'a', 'a', '{user}', now(), now()) returning id`;

describe('ensure_partitions', () => {
  test.each(PARTITIONED_TABLES)('%s: makes what is missing, and nothing twice', async (table) => {
    const prepared = [`${table}_default`, ...(await namesOf(table, [0, 1, 2, 3]))].sort();
    expect(await partitions(table)).toEqual(prepared);
    expect(await ensure(table, null, 3)).toEqual([]);
    expect(await ensure(table, null, 5)).toEqual(await namesOf(table, [4, 5]));
    const twoMonthsAgo = new Date(Date.now() - 62 * 24 * 3_600_000).toISOString();
    expect(await ensure(table, twoMonthsAgo, 0)).toEqual(expect.arrayContaining(await namesOf(table, [-1])));
    expect(await ensure(table, twoMonthsAgo, 5)).toEqual([]);
  });

  test('covers each month whole: its first and last millisecond, in UTC', async () => {
    const [name] = await namesOf('security_events', [1]);
    const [start] = await db.rows(
      `select extract(epoch from date_trunc('month', now() at time zone 'UTC') + interval '1 month') * 1000 as first,
         extract(epoch from date_trunc('month', now() at time zone 'UTC') + interval '2 months') * 1000 as next`,
    );
    const at = async (ms: number) => (await appendEvent(uuidV7({ msecs: ms })))[0]?.['partition'];
    const [first, next] = [Number(start?.['first']), Number(start?.['next'])];
    expect(await at(first)).toBe(`user_service.${name}`);
    expect(await at(next - 1)).toBe(`user_service.${name}`);
    expect(await at(first - 1)).not.toBe(`user_service.${name}`);
    expect(await at(next)).not.toBe(`user_service.${name}`);
  });

  test('partitions are complete: their primary key, indexes, checks and references are the table’s', async () => {
    const [made] = await ensure('sessions_history', null, 4);
    const inside = (name: unknown) =>
      db.rows(
        `select contype, replace(pg_get_constraintdef(oid), $1, '') as text from pg_constraint
         where conrelid = ('user_service.' || $1)::regclass order by 1, 2`,
        [name],
      );
    expect(await inside(made)).toEqual(await inside((await namesOf('sessions_history', [0]))[0]));
    const indexes = await db.rows(
      `select count(*)::int as n from pg_index where indrelid = ('user_service.' || $1)::regclass`,
      [made],
    );
    expect(indexes).toEqual([{ n: 3 }]);
  });

  test('twenty at once make each partition once', async () => {
    for (const month of [1, 2, 3]) await dropPartition('sessions_history', month);
    const made = await Promise.all(Array.from({ length: 20 }, () => ensure('sessions_history', null, 3)));
    expect(made.flat().sort()).toEqual((await namesOf('sessions_history', [1, 2, 3])).sort());
  });

  test.each<[string | null, number | null]>([
    ['users', 3],
    ['sessions_history; drop table user_service.users', 3],
    ['', 3],
    [null, 3],
    ['sessions_history', -1],
    ['sessions_history', 121],
    ['sessions_history', null],
  ])('refuses %s, %s', async (table, ahead) => {
    await expect(ensure(table, null, ahead)).rejects.toMatchObject({ code: '22023' });
  });

  test('goes no further back than ten years, whatever it is told', async () => {
    const made = await ensure('security_events', '1970-01-01T00:00:00Z', 3);
    expect(made).toHaveLength(120);
    expect(made).toContain(`security_events${await suffix(-120)}`);
  });

  test('ids from before the first partition and after the last go to the default one', async () => {
    for (const msecs of [Date.UTC(2020, 0), Date.UTC(2199, 0)]) {
      expect(await appendEvent(uuidV7({ msecs }))).toEqual([
        { partition: 'user_service.security_events_default' },
      ]);
    }
  });

  test('leaves a month alone whose rows are in the default partition: a warning, and the others are made', async () => {
    const stuck = await dropPartition('security_events', 2);
    const gone = await dropPartition('security_events', 3);
    const [month] = await db.rows(
      `select extract(epoch from date_trunc('month', now() at time zone 'UTC') + interval '2 months') * 1000 as start`,
    );
    await appendEvent(uuidV7({ msecs: Number(month?.['start']) }));
    const warnings: string[] = [];
    await withTestClient(db.url, async (client) => {
      client.on('notice', ({ message = '' }) => warnings.push(message));
      const { rows } = await client.query(
        `select user_service.ensure_partitions('security_events', null, 3) as name`,
      );
      expect(rows).toEqual([{ name: gone }]);
    });
    expect(warnings).toEqual([`the default partition of security_events holds rows of ${stuck}`]);
  });

  test('such a month is moved as docs/postgresql.md says', async () => {
    const [months] = await db.rows(
      `select to_char(t + interval '5 months', 'YYYY-MM-01') as this, to_char(t + interval '6 months', 'YYYY-MM-01') as next,
         extract(epoch from date_trunc('month', t) + interval '5 months') * 1000 as start
       from (select now() at time zone 'UTC' as t) as times`,
    );
    const msecs = Number(months?.['start']);
    await appendEvent(uuidV7({ msecs }));
    await appendEvent(uuidV7({ msecs: Date.UTC(2199, 0) }));
    const page = await readFile(new URL('../../../docs/postgresql.md', import.meta.url), 'utf8');
    const [, sql = ''] = /```sql\n(begin;.*?commit;)\n```/s.exec(page) ?? [];
    const dates: Record<string, unknown> = { '2027-03-01': months?.['this'], '2027-04-01': months?.['next'] };
    expect(sql).toContain('2027-03-01');
    await db.rows(sql.replaceAll(/2027-0[34]-01/g, (date) => String(dates[date])));
    const [name] = await namesOf('security_events', [5]);
    expect(
      await db.rows(
        'select tableoid::regclass::text as partition from user_service.security_events order by id',
      ),
    ).toEqual([{ partition: `user_service.${name}` }, { partition: 'user_service.security_events_default' }]);
  });

  test('lets writers of sessions go on, and waits for none of them for long', async () => {
    const [user] = await db.rows(addUser);
    const openSession = `insert into user_service.sessions_history
        (id, user_id, created_at, expires_at, last_activity_at) values ($1, $2, now(), now(), now())`;
    await dropPartition('sessions_history', 3);
    await withTestClient(db.url, async (client) => {
      await client.query('begin');
      await client.query(openSession, [uuidV7(), user?.['id']]);
      expect(await ensure('sessions_history', null, 3)).toEqual(await namesOf('sessions_history', [3]));
      await client.query('commit');

      await client.query('begin');
      await client.query(`lock table user_service.sessions_history in access exclusive mode`);
      const started = performance.now();
      await expect(ensure('sessions_history', null, 4)).rejects.toMatchObject({ code: '55P03' });
      expect(performance.now() - started).toBeLessThan(3000);
      await client.query('rollback');
    });
  });
});

describe('partition pruning', () => {
  const plan = async (sql: string, params: unknown[]) =>
    (await query<{ 'QUERY PLAN': string }>(db.orm.em, `explain ${sql}`, params))
      .map((row) => row['QUERY PLAN'])
      .join('\n');
  const touched = (text: string) =>
    new Set(text.match(/(?:sessions_history|security_events)_(?:\d{4}_\d\d|default)/g));

  test('a session or an event is looked for in the one partition that its id names', async () => {
    const id = uuidV7();
    for (const sql of [
      'select * from user_service.sessions_history where id = ?',
      'select * from user_service.security_events where id = ?',
      'update user_service.sessions_history set terminated_at = now() where id = ?',
      'select s.id from user_service.sessions_history s join user_service.users u on u.id = s.user_id where s.id = ?',
    ]) {
      expect(touched(await plan(sql, [id])).size, sql).toBe(1);
    }
  });

  test('a range of ids touches the months that it spans and no others', async () => {
    const now = Date.now();
    const text = await plan(
      'select * from user_service.security_events where user_id = ? and id >= ? and id < ? order by id desc limit 10',
      [uuidV7(), uuidV7({ msecs: now }), uuidV7({ msecs: now + 1 })],
    );
    expect(touched(text).size).toBe(1);
  });
});
