import { MikroORM } from '@mikro-orm/postgresql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DatabaseUnavailable } from '../domain/errors.ts';
import { ormOptions } from './mikro-orm.config.ts';
import { PartitionKeeper } from './partition-keeper.ts';
import { query } from './sql.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
beforeEach(async () => {
  db = await openTestOrm();
});
afterEach(() => db[Symbol.asyncDispose]());

/** Drops the partition of the month that many months from now, by the server's clock. */
async function dropPartition(table: string, months: number): Promise<string> {
  const [month] = await db.rows(
    `select to_char((now() at time zone 'UTC')::timestamp + make_interval(months => $1), '"_"YYYY"_"MM') as suffix`,
    [months],
  );
  const name = `${table}${month?.['suffix']}`;
  await db.rows(`drop table user_service.${name} cascade`);
  return name;
}

test('makes what is missing at its start, and again each time', async () => {
  const first = await dropPartition('sessions_history', 2);
  const made: string[] = [];
  await using _keeper = new PartitionKeeper({
    em: db.orm.em,
    intervalMs: 20,
    onMade: (names) => made.push(...names),
    onError: (error) => expect.fail(String(error)),
  });
  await expect.poll(() => made).toEqual([first]);
  const second = await dropPartition('security_events', 3);
  await expect.poll(() => made).toEqual([first, second]);
});

test('outlives a database that is away: it tells, and tries again', async () => {
  const away = await MikroORM.init(ormOptions({ databaseUrl: 'postgresql://nobody@127.0.0.1:1/none' }));
  const errors: unknown[] = [];
  const keeper = new PartitionKeeper({ em: away.em, retryMs: 5, onError: (error) => errors.push(error) });
  await expect.poll(() => errors.length).toBeGreaterThan(2);
  expect(errors[0]).toBeInstanceOf(DatabaseUnavailable);
  await keeper[Symbol.asyncDispose]();
  await away.close();
});

test('ends without waiting for its next time', async () => {
  const keeper = new PartitionKeeper({ em: db.orm.em, onError: () => undefined });
  await query(db.orm.em, 'select 1', []);
  const started = performance.now();
  await keeper[Symbol.asyncDispose]();
  expect(performance.now() - started).toBeLessThan(2000);
});
