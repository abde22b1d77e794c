import { SpanStatusCode } from '@opentelemetry/api';
import {
  AlwaysOnSampler,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { runInSpan } from '../../../../runtime/tracing/active-span.ts';
import { withTestClient } from '../../../../testing/database-admin.ts';
import { openReadReplicas } from '../read-replicas.ts';
import { query } from '../sql.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { TestProxy } from '../testing-proxy.ts';
import { type ObservedOrm, openObservedOrm } from './testing-observed-orm.ts';

const COUNT_USERS = 'select count(*) from user_service.users where email = ?';
const PLANTED = 'planted-4711';

let db: TestOrm;
let proxy: TestProxy;
let observed: ObservedOrm;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  proxy = new TestProxy(db.url);
  await proxy.up();
  observed = await openObservedOrm({
    databaseUrl: proxy.url,
    poolSize: 1,
    maxOverflow: 1,
    // Enough for a machine that is busy with other tests to open a connection.
    connectTimeoutMs: 1500,
    statementTimeoutMs: 1000,
    lockTimeoutMs: 150,
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await proxy[Symbol.asyncDispose]();
  await observed[Symbol.asyncDispose]();
});

const run = async (sql: string, params: readonly unknown[] = []) => await query(observed.orm.em, sql, params);
const connectionErrors = async (reason: string) =>
  await observed.metric(`optix_database_connection_errors_total{pool="primary",reason="${reason}"}`);
const queryErrors = async (family: string, sqlstate: string) =>
  await observed.metric(`optix_database_query_errors_total{family="${family}",sqlstate="${sqlstate}"}`);

describe('statements', () => {
  it('are timed by family, those of transactions too', async () => {
    await run(COUNT_USERS, ['a']);
    await observed.orm.em.fork().transactional(async (em) => await query(em, COUNT_USERS, ['b']));
    const count = async (family: string) =>
      await observed.metric(`optix_database_query_duration_seconds_count{family="${family}"}`);
    expect(await count('select users')).toBe(2);
    expect(await count('begin')).toBe(1);
    expect(await count('commit')).toBe(1);
    const sum = await observed.metric('optix_database_query_duration_seconds_sum{family="select users"}');
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(5);
  });

  it('that fail are counted by the class of SQLSTATE, or none where the answer did not come', async () => {
    await expect(run('select 1 / (n - n) from generate_series(1, 2) n')).rejects.toThrow();
    await expect(run('select nothing from user_service.users')).rejects.toThrow();
    expect(await queryErrors('select other', '22')).toBe(1);
    expect(await queryErrors('select users', '42')).toBe(1);
    proxy.silence();
    await expect(run(COUNT_USERS, ['a'])).rejects.toThrow();
    expect(await queryErrors('select users', 'none')).toBe(1);
    expect(await observed.metric('optix_database_query_duration_seconds_count{family="select users"}')).toBe(
      2,
    );
    expect(await connectionErrors('lost')).toBe(1);
  });

  it('that were slow are counted, by the threshold of that moment', async () => {
    const slow = async () =>
      await observed.metric('optix_database_slow_queries_total{family="select users"}');
    await run('select pg_sleep(0.15), (select 1 from user_service.users limit 1)');
    expect(await slow()).toBe(1);
    observed.slowQueries.thresholdMs = 0;
    await run('select pg_sleep(0.15), (select 1 from user_service.users limit 1)');
    expect(await slow()).toBe(1);
  });
});

describe('the pool', () => {
  it('tells its connections, and who waits and how long', async () => {
    const held = Promise.withResolvers<void>();
    const holding = [1, 2].map(() =>
      observed.orm.em.fork().transactional(async (em) => {
        await query(em, 'select 1', []);
        await held.promise;
      }),
    );
    const connections = async (state: string) =>
      await observed.metric(`optix_database_pool_connections{pool="primary",state="${state}"}`);
    await expect.poll(async () => await connections('use')).toBe(2);
    expect(await connections('idle')).toBe(0);
    expect(await observed.metric('optix_database_pool_max_connections{pool="primary"}')).toBe(2);

    const refused = expect(run('select 1')).rejects.toThrow();
    await expect
      .poll(async () => await observed.metric('optix_database_pool_waiting{pool="primary"}'))
      .toBe(1);
    await refused;
    expect(await connectionErrors('timeout')).toBe(1);
    held.resolve();
    await Promise.all(holding);

    expect(await connections('use')).toBe(0);
    expect(await connections('idle')).toBe(2);
    expect(await observed.metric('optix_database_pool_wait_seconds_count{pool="primary"}')).toBe(3);
    const within = async (le: string) =>
      (await observed.metric(`optix_database_pool_wait_seconds_bucket{le="${le}",pool="primary"}`)) ?? 0;
    expect((await within('+Inf')) - (await within('1'))).toBeGreaterThanOrEqual(1);
  });

  it('counts connections that could not be opened, were not had in time, or broke', async () => {
    await run('select 1');
    expect(await Promise.all(['timeout', 'refused', 'lost'].map(connectionErrors))).toEqual([0, 0, 0]);
    await proxy.down();
    await expect.poll(async () => await connectionErrors('lost')).toBe(1);
    await expect(run('select 1')).rejects.toThrow();
    expect(await connectionErrors('refused')).toBe(1);
    await proxy.up();
    proxy.silence();
    await expect(run('select 1')).rejects.toThrow();
    expect(await Promise.all(['timeout', 'refused', 'lost'].map(connectionErrors))).toEqual([1, 1, 1]);
  });

  it('counts one that the server ends during a statement once', async () => {
    await expect(run('select pg_terminate_backend(pg_backend_pid())')).rejects.toThrow();
    await expect.poll(async () => await connectionErrors('lost')).toBe(1);
    expect(await queryErrors('select', '57')).toBe(1);
    await run('select 1');
    expect(await connectionErrors('lost')).toBe(1);
  });

  it('is told from those of replicas', async () => {
    const { replicas, ...opened } = await openReadReplicas(
      [db.url, db.url],
      { poolSize: 4, maxOverflow: 2 },
      (pool, at) => observed.observation.watch(pool, `replica_${at + 1}`),
    );
    await using _ = opened as AsyncDisposable;
    for (const { em } of replicas) await query(em, 'select 1', []);
    await query(replicas[1]?.em ?? expect.fail(), 'select 1', []);
    const waits = async (pool: string) =>
      await observed.metric(`optix_database_pool_wait_seconds_count{pool="${pool}"}`);
    expect(await waits('replica_1')).toBe(1);
    expect(await waits('replica_2')).toBe(2);
    expect(await observed.metric('optix_database_pool_max_connections{pool="replica_2"}')).toBe(3);
  });
});

describe('in a trace', () => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer('test');
  afterEach(() => exporter.reset());

  test('each statement is a span that says what and where, and no value', async () => {
    const parent = tracer.startSpan('call');
    await runInSpan(tracer, parent, async () => {
      await run(`select 1 from user_service.users where email = ? and version = ? and last_name = 'x'`, [
        PLANTED,
        4711,
      ]);
    });
    const [span, ...more] = exporter.getFinishedSpans();
    expect(more).toEqual([]);
    expect(span).toMatchObject({ name: 'select users', status: { code: SpanStatusCode.UNSET } });
    expect(span?.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
    expect(span?.attributes).toEqual({
      'db.system.name': 'postgresql',
      'db.operation.name': 'select',
      'db.collection.name': 'users',
      'db.query.text': 'select ? from user_service.users where email = $1 and version = ? and last_name = ?',
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(proxy.url).port),
    });
  });

  test('one that fails says so by its SQLSTATE, and not in the words of the server', async () => {
    await withTestClient(db.url, async (client) => {
      await client.query('begin; lock table user_service.users in access exclusive mode');
      await runInSpan(tracer, tracer.startSpan('call'), async () => {
        await expect(run(COUNT_USERS, [PLANTED])).rejects.toThrow();
        await expect(run('select ?::int', [PLANTED])).rejects.toThrow();
      });
    });
    const [locked, refused] = exporter.getFinishedSpans();
    expect(locked?.attributes).toMatchObject({ 'error.type': '55P03', 'db.response.status_code': '55P03' });
    expect(locked?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'SQLSTATE 55P03' });
    expect(refused?.attributes).toMatchObject({ 'error.type': '22P02' });
    expect(
      JSON.stringify([locked?.attributes, locked?.events, refused?.attributes, refused?.events]),
    ).not.toContain(PLANTED);
  });

  test('a statement outside of it has none', async () => {
    await run(COUNT_USERS, ['a']);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});
