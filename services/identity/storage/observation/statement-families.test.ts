import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { StatementFamilies } from './statement-families.ts';

const TABLES = ['users', 'sessions_history', 'one_time_tokens', 'security_events', 'security_event_queue'];
const families = new StatementFamilies(TABLES);

describe('a statement is counted as', () => {
  test.each([
    ['select "u0".* from "user_service"."users" as "u0" where "u0"."id" = $1', 'select users'],
    [
      'select s.id from user_service.sessions_history s join user_service.users u on true',
      'select sessions_history',
    ],
    ['\n  SELECT 1\n  FROM Users', 'select users'],
    ['select exists (select 1 from user_service.users)', 'select users'],
    ['(select id from user_service.users) union all (select 1)', 'select users'],
    [
      'select (select 1 from users), array(select 1 from users) from sessions_history',
      'select sessions_history',
    ],
    ['(select (select 1 from users) from security_events) union select 1', 'select security_events'],
    ['select (select 1 from users)', 'select users'],
    ['select extract(epoch from now()), id from only users', 'select users'],
    ['select 1 from users for update of users', 'select users'],
    ['select 1', 'select'],
    ['select pg_advisory_xact_lock($1)', 'select'],
    ['select 1 from pg_stat_activity', 'select other'],
    ['insert into "user_service"."users" ("id") values ($1) returning "id"', 'insert users'],
    [
      'insert into security_events select * from users on conflict do update set id = 1',
      'insert security_events',
    ],
    ['update "user_service"."users" as "u0" set "version" = $1', 'update users'],
    ['update public.made_up set a = 1', 'update other'],
    ['delete from user_service.one_time_tokens where id in (select id from users)', 'delete one_time_tokens'],
    ['merge into users using one_time_tokens on true when matched then delete', 'merge users'],
    ['lock table user_service.users in access exclusive mode', 'lock users'],
    ['analyze user_service.users', 'analyze users'],
    [
      'with a as (select 1 from users for update) insert into one_time_tokens select 1 from a',
      'insert one_time_tokens',
    ],
    [
      'with q as (insert into security_event_queue values ($1)) insert into security_events values ($1)',
      'insert security_events',
    ],
    [
      'with gone as (delete from one_time_tokens returning id) select count(*) from gone',
      'delete one_time_tokens',
    ],
    ['with recent as (select * from sessions_history) select * from recent', 'select sessions_history'],
    ['with x as (select 1) select * from x', 'select other'],
    ['begin', 'begin'],
    ['start transaction isolation level serializable', 'begin'],
    ['commit', 'commit'],
    ['rollback to savepoint "trx1"', 'rollback'],
    ['savepoint "trx1"', 'savepoint'],
    ['set local lock_timeout = 1', 'set'],
    ['explain (generic_plan) select 1 from users', 'explain'],
    ['create table users (id int)', 'create'],
    ['vacuum', 'other'],
    ['', 'other'],
    [';;', 'other'],
  ])('%s -> %s', (sql, family) => {
    expect(families.of(sql).name).toBe(family);
    expect(families.of(sql)).toBe(families.of(sql));
  });

  it('its operation and its table', () => {
    expect(families.of('select 1 from users')).toEqual({
      name: 'select users',
      operation: 'select',
      table: 'users',
    });
    expect(families.of('select 1 from nowhere')).toEqual({
      name: 'select other',
      operation: 'select',
      table: undefined,
    });
  });
});

it('are few, whatever the texts are', () => {
  const names = new Set<string>();
  const piece = fc.oneof(
    fc.constantFrom(
      ...TABLES,
      'select',
      'insert into',
      'update',
      'delete from',
      'from',
      'with a as (',
      ')',
      '"',
      ';',
    ),
    fc.string(),
    fc.string({ unit: 'binary' }),
  );
  const bounded = new StatementFamilies(TABLES);
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      names.add(bounded.of(pieces.join(' ')).name);
    }),
    { numRuns: 1000 },
  );
  for (const name of names) {
    const [verb = '', table, ...more] = name.split(' ');
    expect(verb).toMatch(/^[a-z]{3,9}$/);
    expect([undefined, 'other', ...TABLES]).toContain(table);
    expect(more).toEqual([]);
  }
  // Verbs with a table: each alone, with another table, or with one of the known.
  expect(names.size).toBeLessThanOrEqual(20 + 8 * (TABLES.length + 2));
});
