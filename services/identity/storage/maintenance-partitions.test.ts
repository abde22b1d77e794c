import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { DatabaseUnavailable } from '../domain/errors.ts';
import { RetentionRefused } from '../domain/maintenance/errors.ts';
import { PARTITIONED_TABLES } from '../domain/maintenance/partitions.ts';
import { PartitionRepository } from './maintenance-partitions.ts';
import { daysAgo, hashOf, OldRows } from './testing-old-rows.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let partitions: PartitionRepository;
let old: OldRows;
beforeEach(async () => {
  db = await openTestOrm();
  partitions = new PartitionRepository(db.orm.em);
  old = new OldRows(db);
});
afterEach(() => db[Symbol.asyncDispose]());

/** `_2026_11` of the month of that time, in UTC. */
const suffix = (at: Date): string => `_${at.toISOString().slice(0, 7).replace('-', '_')}`;
const ids = async (table: string, column = 'id') =>
  (await db.rows(`select ${column} as id from user_service.${table} order by 1`)).map(({ id }) => id);
const partitionsOf = async (table: string) =>
  (
    await db.rows(
      `select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = ('user_service.' || $1)::regclass order by 1`,
      [table],
    )
  ).map(({ relname }) => String(relname));
const checkpoints = () =>
  db.rows(`select sequence::int, chain_hash, dropped_before from user_service.security_event_checkpoints`);

/** Drops until nothing is left to. */
async function dropAll(table: 'sessions_history' | 'security_events', before: Date): Promise<string[]> {
  const dropped: string[] = [];
  for (;;) {
    const names = await partitions.dropOldest(table, before);
    if (names.length === 0) return dropped;
    dropped.push(...names);
  }
}

describe('ensure', () => {
  test.each(PARTITIONED_TABLES)('%s: makes what is missing, once', async (table) => {
    const name = `${table}${suffix(new Date(Date.now() + 3 * 31 * 24 * 3_600_000))}`;
    await db.rows(`drop table if exists user_service.${name}`);
    const made = await partitions.ensure(table, 4);
    expect(made.length).toBeGreaterThanOrEqual(1);
    expect(await partitionsOf(table)).toEqual(expect.arrayContaining([...made, name]));
    expect(await partitions.ensure(table, 4)).toEqual([]);
  });
});

describe('sessions_history', () => {
  test('drops whole months that ended by then, oldest first, one a call', async () => {
    await old.prepare(130);
    const user = await old.user();
    await old.session(user, 130);
    await old.session(user, 100);
    const kept = await old.session(user, 31);
    expect(await partitions.dropOldest('sessions_history', daysAgo(65))).toEqual([
      `sessions_history${suffix(daysAgo(130))}`,
    ]);
    await dropAll('sessions_history', daysAgo(65));
    expect(await ids('sessions_history')).toEqual([kept]);
    const left = await partitionsOf('sessions_history');
    expect(left).not.toContain(`sessions_history${suffix(daysAgo(100))}`);
    // Half of this month is younger.
    expect(left).toContain(`sessions_history${suffix(daysAgo(65))}`);
    expect(left).toContain('sessions_history_default');
  });

  test('a month stays to the millisecond of its end', async () => {
    await old.prepare(130);
    const [month] = await db.rows(
      `select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' - interval '2 months' as end`,
    );
    const end = month?.['end'] as Date;
    const name = `sessions_history${suffix(new Date(end.getTime() - 1))}`;
    expect(await dropAll('sessions_history', new Date(end.getTime() - 1))).not.toContain(name);
    expect(await dropAll('sessions_history', end)).toEqual([name]);
  });

  test('a month with a session that goes on stays, and keeps no other from going', async () => {
    await old.prepare(130);
    const user = await old.user();
    const live = await old.session(user, 130, { live: true });
    await old.session(user, 100);
    const dropped = await dropAll('sessions_history', daysAgo(35));
    expect(dropped).toContain(`sessions_history${suffix(daysAgo(100))}`);
    expect(dropped).not.toContain(`sessions_history${suffix(daysAgo(130))}`);
    expect(await ids('sessions_history')).toEqual([live]);
    await db.rows(`update user_service.sessions_history set terminated_at = now() where id = $1`, [live]);
    expect(await dropAll('sessions_history', daysAgo(35))).toEqual([
      `sessions_history${suffix(daysAgo(130))}`,
    ]);
  });

  test('rows of the default partition go by age, but for those that go on', async () => {
    const user = await old.user();
    await old.session(user, 800);
    const live = await old.session(user, 700, { live: true });
    const young = await old.session(user, -400);
    await old.session(user, 220);
    const sameMonth = await old.session(user, 180);
    expect(await dropAll('sessions_history', daysAgo(180))).toEqual(['sessions_history_default']);
    expect(await ids('sessions_history')).toEqual([live, sameMonth, young]);
  });

  test('who holds the table has it: nothing is dropped, and nobody waits for long', async () => {
    await old.prepare(130);
    const user = await old.user();
    await withTestClient(db.url, async (client) => {
      await client.query('begin');
      await client.query('lock table user_service.sessions_history in row exclusive mode');
      const startedAt = performance.now();
      const refused = expect(partitions.dropOldest('sessions_history', daysAgo(35))).rejects.toThrow(
        DatabaseUnavailable,
      );
      // Whoever comes to the table meanwhile is let in once the drop has given up.
      await old.session(user, 0);
      await refused;
      expect(performance.now() - startedAt).toBeLessThan(2000);
      await client.query('rollback');
    });
    expect((await dropAll('sessions_history', daysAgo(35))).length).toBeGreaterThan(0);
  });

  test('waits for no lock on users, and takes none', async () => {
    await old.prepare(130);
    await withTestClient(db.url, async (client) => {
      await client.query('begin');
      await client.query('lock table user_service.users in row exclusive mode');
      expect(await partitions.dropOldest('sessions_history', daysAgo(35))).toHaveLength(1);
      await client.query('rollback');
    });
  });
});

describe('security_events', () => {
  test('go with their seals, and the chain begins behind them', async () => {
    await old.prepare(130);
    for (const days of [130, 100, 99]) await old.event(days);
    const kept = [await old.event(31), await old.event(0)];
    await dropAll('security_events', daysAgo(65));
    expect(await ids('security_events')).toEqual(kept);
    expect(await ids('security_event_seals', 'event_id')).toEqual(kept);
    const left = await partitionsOf('security_event_seals');
    expect(left).not.toContain(`security_event_seals${suffix(daysAgo(100))}`);
    expect(left).toContain(`security_event_seals${suffix(daysAgo(65))}`);
    const found = await checkpoints();
    expect(found.at(-1)).toMatchObject({ sequence: 3, chain_hash: hashOf(3) });
    expect(String(found.at(-1)?.['dropped_before']) > String(kept[0])).toBe(false);
  });

  test('no event goes before it is sealed', async () => {
    await old.prepare(130);
    const waiting = await old.event(130, { sealed: false });
    await expect(partitions.dropOldest('security_events', daysAgo(35))).rejects.toThrow(RetentionRefused);
    expect(await ids('security_events')).toEqual([waiting]);
    expect(await checkpoints()).toEqual([]);
  });

  test('a log with an event from the past at its end is not cut off there', async () => {
    await old.prepare(130);
    await old.event(130);
    for (const days of [20, 10]) await old.event(days);
    await old.event(120);
    const before = await ids('security_events');
    await expect(dropAll('security_events', daysAgo(35))).rejects.toThrow(RetentionRefused);
    expect(before).toHaveLength(4);
    expect((await ids('security_events')).length).toBeGreaterThanOrEqual(3);
    for (const { sequence } of await checkpoints()) expect(sequence).toBe(1);
  });

  test('an event of a clock that was years ahead keeps nothing from going', async () => {
    await old.prepare(130);
    await old.event(130);
    const ahead = await old.event(-20_000);
    const kept = [await old.event(100), await old.event(0)];
    await dropAll('security_events', daysAgo(65));
    expect(await ids('security_events')).toEqual([kept[1], ahead]);
    expect(await checkpoints()).toMatchObject([{ sequence: 3 }]);
  });

  test('an event of a clock that was days ahead at the end of a month keeps it for a month more, and not for ever', async () => {
    await old.prepare(160);
    const [months] = await db.rows(
      `select month - interval '3 months' as end, month - interval '2 months' as next
       from (select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as month)`,
    );
    const end = months?.['end'] as Date;
    const hoursBehindEnd = (hours: number) => (Date.now() - end.getTime()) / 86_400_000 - hours / 24;
    for (const hours of [-2, 48, -1]) await old.event(hoursBehindEnd(hours));
    await expect(dropAll('security_events', end)).rejects.toThrow(RetentionRefused);
    expect(await ids('security_events')).toHaveLength(3);
    await dropAll('security_events', months?.['next'] as Date);
    expect(await ids('security_events')).toEqual([]);
    expect(await checkpoints()).toMatchObject([{ sequence: 3 }]);
  });

  test('events on both sides of the end of a month may have been sealed in any order', async () => {
    await old.prepare(130);
    const [month] = await db.rows(
      `select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' - interval '2 months' as end`,
    );
    const end = month?.['end'] as Date;
    const daysTo = (at: number) => (Date.now() - at) / (24 * 3_600_000);
    const young = await old.event(daysTo(end.getTime() + 1000), { sequence: 1 });
    await old.event(daysTo(end.getTime() - 1000), { sequence: 2 });
    await dropAll('security_events', end);
    expect(await ids('security_events')).toEqual([young]);
    expect(await checkpoints()).toMatchObject([{ sequence: 2, chain_hash: hashOf(2) }]);
  });

  test('rows of the default partitions go with the chain, whichever of the two they are in', async () => {
    await old.event(800);
    await old.event(700);
    await old.prepare(130);
    await old.event(500);
    const kept = await old.event(0);
    const name = 'security_events_default';
    expect(await dropAll('security_events', daysAgo(400))).toEqual([name, name]);
    expect(await ids('security_events')).toEqual([kept]);
    expect(await ids('security_event_seals', 'event_id')).toEqual([kept]);
    expect(await checkpoints()).toMatchObject([{ sequence: 3 }]);
  });

  test('5,000 rows of the default partition go by batches', async () => {
    const user = await old.user();
    await db.rows(
      `insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
       select uuidv7(interval '-500 days'), $1, now(), now(), now() from generate_series(1, 5000)`,
      [user],
    );
    const name = 'sessions_history_default';
    expect(await dropAll('sessions_history', daysAgo(180))).toEqual([name, name, name]);
    expect(await ids('sessions_history')).toEqual([]);
  });

  test('months without events go too, and leave no mark', async () => {
    await old.prepare(130);
    expect((await dropAll('security_events', daysAgo(35))).length).toBeGreaterThanOrEqual(4);
    expect(await checkpoints()).toEqual([]);
  });
});

test.each([
  ['security_events', 29.99],
  ['sessions_history', 29.99],
  ['security_events', -1000],
  // Before 1970, which no id can say.
  ['security_events', 25_000],
  ['sessions_history', 25_000],
  ['security_event_seals', 400],
  ['users', 400],
  ['security_events; drop table user_service.users', 400],
  [null, 400],
])('refuses %s of %s days ago', async (table, days) => {
  await expect(
    db.rows('select user_service.drop_partitions($1, $2)', [table, daysAgo(days)]),
  ).rejects.toMatchObject({ code: '22023' });
});

test.each(['null', `'infinity'`, `'-infinity'`, `'4000-01-01 BC'`])('refuses the time %s', async (time) => {
  await expect(
    db.rows(`select user_service.drop_partitions('security_events', ${time})`),
  ).rejects.toMatchObject({ code: '22023' });
});
