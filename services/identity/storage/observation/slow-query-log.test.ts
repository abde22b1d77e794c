import { setTimeout as sleep } from 'node:timers/promises';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test } from 'vitest';
import { runInSpan } from '../../../../runtime/tracing/active-span.ts';
import { collectingLogger } from '../../../../testing/collecting-logger.ts';
import { withTestClient } from '../../../../testing/database-admin.ts';
import { query } from '../sql.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { PlanReader } from './plan-reader.ts';
import { SlowQueryLog } from './slow-query-log.ts';
import { openObservedOrm } from './testing-observed-orm.ts';

const PLANTED = 'planted-4711@example.com';
const SLOW = 'a statement was slow';
const PLAN = 'the plan of a slow statement';
const SLOW_READ = `select id, pg_sleep(0.15) from (values (1)) v
  left join user_service.users u on u.email = ? and u.version = ? and u.status <> 'planted-status'`;

let db: TestOrm;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());

async function open(slow: { thresholdMs?: number; plans?: boolean } = {}, statementTimeoutMs = 1000) {
  const observed = await openObservedOrm(
    { databaseUrl: db.url, poolSize: 2, maxOverflow: 1, statementTimeoutMs, lockTimeoutMs: 200 },
    slow,
  );
  onTestFinished(async () => await observed[Symbol.asyncDispose]());
  const run = async (sql: string, params: readonly unknown[] = []) =>
    await query(observed.orm.em, sql, params);
  return { ...observed, run };
}

describe('a slow statement', () => {
  it('is logged with what it was and how long it took, and without values', async () => {
    const { run, logged, entries } = await open();
    await run('select 1');
    await run(SLOW_READ, [PLANTED, 471147]);
    expect(logged(SLOW)).toEqual([
      expect.objectContaining({
        level: 40,
        pool: 'primary',
        family: 'select users',
        statement:
          'select id, pg_sleep(?) from (values (?)) v left join user_service.users u on u.email = $1 and u.version = ? and u.status <> ?',
        rows: 1,
        kept_back: 0,
      }),
    ]);
    const took = Number(logged(SLOW)[0]?.['duration_ms']);
    expect(took).toBeGreaterThanOrEqual(140);
    expect(took).toBeLessThan(1500);
    expect(JSON.stringify(entries)).not.toMatch(/planted|471147/);
  });

  it('belongs to the trace of its call', async () => {
    const { run, logged } = await open();
    const tracer = new TracerProvider().getTracer('test');
    const span = tracer.startSpan('call');
    await runInSpan(tracer, span, async () => await run(SLOW_READ, [PLANTED, 1]));
    expect(logged(SLOW)).toEqual([expect.objectContaining({ trace_id: span.spanContext().traceId })]);
  });

  it('that another session kept waiting until it failed says that it waited for a lock', async () => {
    const { run, logged } = await open();
    await withTestClient(db.url, async (client) => {
      await client.query('begin; lock table user_service.users in access exclusive mode');
      await expect(run('select id from user_service.users where email = ?', [PLANTED])).rejects.toThrow();
    });
    expect(logged(SLOW)).toEqual([
      expect.objectContaining({ family: 'select users', sqlstate: '55P03', waited_for: 'lock' }),
    ]);
    expect(logged(SLOW)[0]).not.toHaveProperty('rows');
  });

  it('that ran into the time-out counts too', async () => {
    const { run, logged } = await open({}, 200);
    await expect(run('select pg_sleep(5)')).rejects.toThrow();
    expect(logged(SLOW)).toEqual([expect.objectContaining({ family: 'select', sqlstate: '57014' })]);
  });

  it('is what takes as long as the threshold says at that moment; 0: none is', async () => {
    const { run, logged, slowQueries } = await open({ thresholdMs: 0 });
    await run('select pg_sleep(0.12)');
    expect(logged(SLOW)).toHaveLength(0);
    slowQueries.thresholdMs = 100;
    await run('select pg_sleep(0.12)');
    expect(logged(SLOW)).toHaveLength(1);
    slowQueries.thresholdMs = 60_000;
    await run('select pg_sleep(0.12)');
    expect(logged(SLOW)).toHaveLength(1);
  });

  it('among many at once has no line of its own, and the next line says how many were kept back', async () => {
    const { run, logged } = await open();
    await Promise.all(Array.from({ length: 15 }, () => run('select pg_sleep(0.15)')));
    expect(logged(SLOW).length).toBeLessThan(15);
    await sleep(150);
    await run('select pg_sleep(0.15)');
    const keptBack = logged(SLOW).reduce((sum, line) => sum + Number(line['kept_back']), 0);
    expect(logged(SLOW).length + keptBack).toBe(16);
  });
});

describe('with plans', () => {
  test('the generic plan follows, without values', async () => {
    const { run, logged, entries } = await open({ plans: true });
    await run(SLOW_READ, [PLANTED, 471147]);
    await expect.poll(() => logged(PLAN)).toHaveLength(1);
    const [line] = logged(PLAN);
    expect(line).toMatchObject({ level: 40, pool: 'primary', family: 'select users' });
    const plan = String(line?.['plan']);
    expect(plan).toMatch(/ on users u {2}\(cost=\d/);
    expect(plan).toContain('email = $1');
    expect(plan).toContain('version = ?');
    expect(JSON.stringify(entries)).not.toMatch(/planted|471147/);
  });

  test('a change is explained and not carried out again', async () => {
    const { run, logged } = await open({ plans: true });
    await db.rows('create table public.counted (n int)');
    await run('insert into public.counted select ?::int from pg_sleep(0.15)', ['7']);
    await expect.poll(() => logged(PLAN)).toHaveLength(1);
    expect(await db.rows('select n from public.counted')).toEqual([{ n: 7 }]);
  });

  test('one text is explained once a minute', async () => {
    const { run, logged, samples } = await open({ plans: true });
    for (let i = 0; i < 3; i++) {
      await run(SLOW_READ, [PLANTED, i]);
      await expect.poll(() => logged(PLAN)).toHaveLength(1);
    }
    expect(logged(SLOW)).toHaveLength(3);
    await expect
      .poll(async () => await samples('optix_database_query_duration_seconds_count{family="rollback"}'))
      .toEqual(['optix_database_query_duration_seconds_count{family="rollback"} 1']);
  });

  test('they may be asked for while the service runs', async () => {
    const { run, logged, slowQueries } = await open();
    await run(SLOW_READ, [PLANTED, 1]);
    slowQueries.plans = true;
    await run(SLOW_READ, [PLANTED, 1]);
    await expect.poll(() => logged(PLAN)).toHaveLength(1);
  });

  test('the statements that ask for one belong to no trace, its line does', async () => {
    const { run, logged } = await open({ plans: true });
    const names: string[] = [];
    const onStart = ({ name }: { name: string }) => void names.push(name);
    const nothing = {
      onEnd: () => undefined,
      forceFlush: async () => undefined,
      shutdown: async () => undefined,
    };
    const tracer = new TracerProvider({ spanProcessors: [{ onStart, ...nothing }] }).getTracer('test');
    const span = tracer.startSpan('call');
    await runInSpan(tracer, span, async () => await run(SLOW_READ, [PLANTED, 1]));
    await expect.poll(() => logged(PLAN)).toHaveLength(1);
    expect(names).toEqual(['call', 'select users']);
    expect(logged(PLAN)[0]).toMatchObject({ trace_id: span.spanContext().traceId });
  });

  test('a server that is too old for them is told once', async () => {
    const { logger, entries } = collectingLogger();
    const log = new SlowQueryLog({ logger, thresholdMs: 100, plans: true });
    const pool = new Pool({ connectionString: db.url, max: 1 });
    onTestFinished(async () => await pool.end());
    const plans = new PlanReader(pool, { leastVersion: 990_000 });
    for (const sql of ['select 1', 'select 2 as two']) {
      const facts = { pool: 'primary', family: 'select', durationMs: 150, rows: 1, sqlState: undefined };
      log.report({ ...facts, sql }, plans);
      // Lines closer than that would be kept back; it is also when the plan was asked for.
      await sleep(150);
      await expect.poll(() => pool.idleCount).toBe(1);
    }
    expect(entries.map(({ msg }) => msg)).toEqual([
      SLOW,
      'the plans of statements can only be told by PostgreSQL 16 and newer',
      SLOW,
    ]);
  });

  test('one that can not be had is of no matter: the lock is still held', async () => {
    const { run, logged } = await open({ plans: true });
    await withTestClient(db.url, async (client) => {
      await client.query('begin; lock table user_service.users in access exclusive mode');
      await expect(run('select id from user_service.users where email = ?', [PLANTED])).rejects.toThrow();
      await expect.poll(() => logged('the plan of a slow statement could not be read')).toHaveLength(1);
    });
    expect(logged(PLAN)).toEqual([]);
    expect(await run('select 1 as one')).toEqual([{ one: 1 }]);
  });
});
