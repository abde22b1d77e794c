import { afterEach, beforeEach, expect, test } from 'vitest';
import { analyzeTask } from '../domain/maintenance/tasks/analyze.ts';
import { StatisticsRepository } from './maintenance-statistics.ts';
import { OldRows } from './testing-old-rows.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let statistics: StatisticsRepository;
beforeEach(async () => {
  db = await openTestOrm();
  statistics = new StatisticsRepository(db.orm.em);
});
afterEach(() => db[Symbol.asyncDispose]());

/** The server tells of changes a moment later. */
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 });
const partition = async () => {
  const [row] = await db.rows(
    `select 'sessions_history' || to_char(now() at time zone 'UTC', '"_"YYYY"_"MM') as name`,
  );
  return String(row?.['name']);
};
const addSessions = async (count: number) => {
  const user = await new OldRows(db).user();
  await db.rows(
    `insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
     select uuidv7(), $1, now(), now(), now() from generate_series(1, $2)`,
    [user, count],
  );
};
/** Rows of the table as a whole, as the planner knows them. */
const rowsKnown = async (table: string) =>
  (
    await db.rows(`select reltuples::int from pg_class where oid = ('user_service.' || $1)::regclass`, [
      table,
    ])
  )[0]?.['reltuples'];

test('a table with many changes is stale, until it has been refreshed', async () => {
  // Autovacuum would have it fresh by itself, sooner or later.
  await db.rows('alter table user_service.sign_in_throttles set (autovacuum_enabled = false)');
  const add = (count: number, prefix: string) =>
    db.rows(
      `insert into user_service.sign_in_throttles (network, failures, last_failure_at)
       select $2 || n, 1, now() from generate_series(1, $1) n`,
      [count, prefix],
    );
  await add(90, 'a');
  await eventually(() => changes('sign_in_throttles')).toBe(90);
  expect(await statistics.findStale()).not.toContain('sign_in_throttles');
  await add(110, 'b');
  await eventually(() => statistics.findStale()).toContain('sign_in_throttles');
  await statistics.refresh('sign_in_throttles');
  expect(await rowsKnown('sign_in_throttles')).toBe(200);
  await eventually(() => statistics.findStale()).not.toContain('sign_in_throttles');
});

const changes = async (table: string) =>
  (
    await db.rows(
      `select n_mod_since_analyze::int as n from pg_stat_all_tables where relid = ('user_service.' || $1)::regclass`,
      [table],
    )
  )[0]?.['n'];

test('a partitioned table is stale once one of its partitions has statistics of its own that are newer', async () => {
  await addSessions(300);
  await db.rows(`analyze user_service.${await partition()}`);
  await eventually(() => statistics.findStale()).toContain('sessions_history');
  expect(await rowsKnown('sessions_history')).toBe(-1);
  await statistics.refresh('sessions_history');
  expect(await rowsKnown('sessions_history')).toBe(300);
  await eventually(() => statistics.findStale()).not.toContain('sessions_history');
});

test('the task refreshes all that is stale, a partition and then its table', async () => {
  await db.rows(`alter table user_service.${await partition()} set (autovacuum_enabled = false)`);
  await addSessions(300);
  const name = await partition();
  await eventually(() => statistics.findStale()).toContain(name);
  const task = analyzeTask(statistics);
  const { count } = await task.run(AbortSignal.timeout(10_000));
  expect(count).toBeGreaterThanOrEqual(1);
  await eventually(() => statistics.findStale()).toContain('sessions_history');
  await task.run(AbortSignal.timeout(10_000));
  expect(await rowsKnown('sessions_history')).toBe(300);
});

test.each(['pg_class', 'users; drop table user_service.users', 'users_pkey', ''])(
  'refuses what is no table of ours: %s',
  async (name) => {
    await expect(db.rows('select user_service.analyze_table($1)', [name])).rejects.toMatchObject({
      code: '22023',
    });
  },
);
