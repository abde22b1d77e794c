import { setTimeout as sleep } from 'node:timers/promises';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTestClient } from '../../../testing/database-admin.ts';
import { DatabaseUnavailable } from '../domain/errors.ts';
import { ormOptions } from './mikro-orm.config.ts';
import { openReadReplicas, type ReadReplicas } from './read-replicas.ts';
import { ReadRouter } from './read-router.ts';
import { query } from './sql.ts';
import { type ReplicatedPostgres, startReplicatedPostgres } from './testing-replicated-postgres.ts';

const REST_MS = 300;

let servers: ReplicatedPostgres;
let orm: MikroORM;
let replicas: ReadReplicas;
let leftAlone: [replica: string, reason: string][];
let router: ReadRouter;
beforeAll(async () => {
  servers = await startReplicatedPostgres(2);
  orm = await MikroORM.init(ormOptions({ databaseUrl: servers.primary.url, poolSize: 5 }));
  replicas = await openReadReplicas(
    servers.replicas.map(({ url }) => url),
    { poolSize: 4, maxOverflow: 2, connectTimeoutMs: 1000 },
  );
  await onPrimary('create table public.written (n int primary key)');
});
afterAll(async () => {
  await replicas?.[Symbol.asyncDispose]();
  await orm?.close();
  await servers?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  leftAlone = [];
  router = newRouter(replicas.replicas);
  await onPrimary('truncate public.written');
  // Opens the replicas' connections, which else would cost the first read its time.
  for (const { em } of replicas.replicas) await query(em, 'select 1', []).catch(() => null);
});

const newRouter = (
  chosen: ReadReplicas['replicas'],
  options: Partial<ConstructorParameters<typeof ReadRouter>[0]> = {},
) =>
  new ReadRouter({
    primary: orm.em,
    replicas: chosen,
    restMs: REST_MS,
    // More than the default: the machine is busy with other tests.
    catchUpMs: 500,
    onLeftAlone: (replica, reason) => leftAlone.push([replica, reason]),
    ...options,
  });
const onPrimary = (sql: string) => query(orm.em, sql, []);
const onReplica = (replica: number, sql: string) =>
  withTestClient(servers.replicas[replica]?.url ?? '', (client) => client.query(sql));
const portOf = async (em: EntityManager) =>
  (await query<{ port: string }>(em, `select current_setting('port') as port`, []))[0]?.port;
const isPrimary = async (em: EntityManager) => (await portOf(em)) === String(servers.primary.port);
const highest = async (em: EntityManager) =>
  (await query<{ n: number | null }>(em, 'select max(n) as n from public.written', []))[0]?.n;

test('what is written is there for the next read, which the replicas serve in turn', async () => {
  const rounds = 500;
  const served = new Map<string | undefined, number>();
  for (let n = 1; n <= rounds; n++) {
    await query(orm.em, 'insert into public.written values (?)', [n]);
    const em = await router.reader();
    expect(await highest(em)).toBe(n);
    const port = await portOf(em);
    served.set(port, (served.get(port) ?? 0) + 1);
  }
  // A replica may be late once; that the reads leave the primary is the rule.
  for (const { port } of servers.replicas)
    expect(served.get(String(port)) ?? 0).toBeGreaterThan(rounds * 0.3);
});

test('while others write all the time, nothing that was acknowledged is missing', async () => {
  const stop = new AbortController();
  let acknowledged = 0;
  const writers = [1, 2, 3].map(async () => {
    while (!stop.signal.aborted) {
      const [row] = await query<{ n: number }>(
        orm.em,
        `insert into public.written select coalesce(max(n), 0) + 1 from public.written
         on conflict do nothing returning n`,
        [],
      );
      if (row !== undefined) acknowledged = Math.max(acknowledged, row.n);
    }
  });
  for (let round = 0; round < 200; round++) {
    const known = acknowledged;
    const em = await router.reader();
    expect((await highest(em)) ?? 0).toBeGreaterThanOrEqual(known);
  }
  stop.abort();
  await Promise.all(writers);
});

describe('a replica that is behind', () => {
  test('is not read from until it is there again; meanwhile it costs nothing', async () => {
    const one = newRouter(replicas.replicas.slice(0, 1), { catchUpMs: 50 });
    await onReplica(0, 'select pg_wal_replay_pause()');
    await onPrimary('insert into public.written values (1)');
    const started = performance.now();
    expect(await isPrimary(await one.reader())).toBe(true);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(leftAlone).toEqual([
      [`127.0.0.1:${servers.replicas[0]?.port}`, 'too far behind, or too slow to say'],
    ]);
    await one.reader();
    expect(leftAlone).toHaveLength(1);

    await onReplica(0, 'select pg_wal_replay_resume()');
    await sleep(REST_MS + 50);
    await expect.poll(async () => await isPrimary(await one.reader()), { timeout: 5000 }).toBe(false);
  });

  test('leaves the reads to the other one', async () => {
    await onReplica(0, 'select pg_wal_replay_pause()');
    await onPrimary('insert into public.written values (1)');
    const quick = newRouter(replicas.replicas, { catchUpMs: 200 });
    const ports = new Set<string | undefined>();
    for (let i = 0; i < 10; i++) {
      const em = await quick.reader();
      expect(await highest(em)).toBe(1);
      ports.add(await portOf(em));
    }
    expect(ports).toContain(String(servers.replicas[1]?.port));
    expect(ports).not.toContain(String(servers.replicas[0]?.port));
    await onReplica(0, 'select pg_wal_replay_resume()');
  });
});

test('without replicas the primary is not even asked', async () => {
  const away = await MikroORM.init(ormOptions({ databaseUrl: 'postgresql://nobody@127.0.0.1:1/none' }));
  const none = new ReadRouter({ primary: away.em, replicas: [] });
  expect(await none.reader()).toBe(away.em);
  await away.close();
});

test('a primary that is away can not vouch for a replica', async () => {
  const away = await MikroORM.init(ormOptions({ databaseUrl: 'postgresql://nobody@127.0.0.1:1/none' }));
  await expect(newRouter(replicas.replicas, { primary: away.em }).reader()).rejects.toThrow(
    DatabaseUnavailable,
  );
  await away.close();
});

test('a server that is no replica, or another primary’s, is not read from', async () => {
  const foreign = await openReadReplicas([servers.primary.url], {});
  const wrong = newRouter(foreign.replicas);
  expect(await wrong.reader()).toBe(orm.em);
  expect(leftAlone.map(([, reason]) => reason)).toEqual(['not a replica of this primary']);
  await foreign[Symbol.asyncDispose]();
});

describe('a replica that is killed', () => {
  test('while it is read from: the primary serves the same read', async () => {
    const one = newRouter(replicas.replicas.slice(1));
    let reads = 0;
    const port = await one.read(async (em) => {
      reads += 1;
      if (reads === 1) {
        servers.replicas[1]?.kill('SIGKILL');
        await servers.replicas[1]?.exited;
      }
      return await portOf(em);
    });
    expect({ port, reads }).toEqual({ port: String(servers.primary.port), reads: 2 });
    expect(leftAlone).toHaveLength(1);
  });

  test('is left alone, and read from again when it is back', async () => {
    const one = newRouter(replicas.replicas.slice(1));
    await onPrimary('insert into public.written values (7)');
    expect(await highest(await one.reader())).toBe(7);
    expect(await isPrimary(await one.reader())).toBe(true);
    await servers.restart(1);
    await expect
      .poll(async () => await portOf(await one.reader()), { timeout: 10_000 })
      .toBe(String(servers.replicas[1]?.port));
  });

  test('a read’s own error is its own: it is not repeated', async () => {
    let reads = 0;
    await expect(
      router.read(async () => {
        reads += 1;
        throw new RangeError('the page token is not one');
      }),
    ).rejects.toThrow(RangeError);
    expect(reads).toBe(1);
  });
});
