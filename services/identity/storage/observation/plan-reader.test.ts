import { Pool } from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { PlanReader, type PlanReaderOptions, PlansUnsupported } from './plan-reader.ts';

const READ = 'select id from user_service.users where email = $1 limit 4711';

let db: TestOrm;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());

function open(options: PlanReaderOptions = {}) {
  const pool = new Pool({ connectionString: db.url, max: 1 });
  onTestFinished(async () => await pool.end());
  return { pool, plans: new PlanReader(pool, options) };
}

test('a plan is of no values: parameters stay open, literals are left out, estimates stay', async () => {
  const { plans } = open();
  const plan = await plans.read(`${READ} -- $1`);
  expect(plan).toMatch(/^Limit {2}\(cost=[\d.]+ rows=\d+ width=\d+\)\n/);
  expect(plan).toContain('$1');
  expect(plan).not.toContain('4711');
});

test.each([
  'begin',
  'analyze user_service.users',
  'explain analyze select 1',
  `call something()`,
  `select 1; create table public.made_by_plan (n int)`,
  `select ${'1, '.repeat(5000)} 1`,
])('%s is not explained', async (sql) => {
  const { plans } = open();
  expect(await plans.read(sql)).toBeUndefined();
  expect(await db.rows(`select to_regclass('public.made_by_plan') as made`)).toEqual([{ made: null }]);
});

test('a semicolon in a literal is no second statement', async () => {
  const { plans } = open();
  expect(await plans.read(`select 1 from user_service.users where email = ';'`)).toContain('Scan');
});

test('a text is explained once a minute, others meanwhile', async () => {
  let now = 0;
  const { plans } = open({ now: () => now });
  expect(await plans.read(READ)).toBeDefined();
  // Another number is no other text.
  expect(await plans.read(READ.replace('4711', '4712'))).toBeUndefined();
  expect(await plans.read(`${READ} for update`)).toBeDefined();
  now += 59_000;
  expect(await plans.read(READ)).toBeUndefined();
  now += 1000;
  expect(await plans.read(READ)).toBeDefined();
});

test('one is read at a time, and none while callers need the connections', async () => {
  const { pool, plans } = open();
  const client = await pool.connect();
  expect(await plans.read(READ)).toBeUndefined();
  client.release();
  const [first, second] = await Promise.all([
    plans.read(READ),
    plans.read('select 1 from user_service.users'),
  ]);
  expect([first === undefined, second === undefined]).toEqual([false, true]);
});

test('a server that knows no generic plans is told, and left as it was', async () => {
  const { pool, plans } = open({ leastVersion: 990_000 });
  await expect(plans.read(READ)).rejects.toThrow(PlansUnsupported);
  expect((await pool.query('select pg_current_xact_id_if_assigned() as open')).rows).toEqual([
    { open: null },
  ]);
  expect(pool.idleCount).toBe(1);
});

test('a statement that can not be planned leaves the connection as it was', async () => {
  const { pool, plans } = open();
  await expect(plans.read('select nothing from user_service.users')).rejects.toThrow('nothing');
  expect((await pool.query('show transaction_read_only')).rows).toEqual([{ transaction_read_only: 'off' }]);
});
