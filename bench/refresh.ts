/**
 * What RefreshToken costs with everything persisted: the rate, the CPU of the service's process and of PostgreSQL for each
 * refresh, and the latency, with a bare grpc-js echo as the floor.
 *
 *   node bench/refresh.ts [--rounds 3] [--seconds 4] [--callers 32] [--rate 200]
 *
 * Each round uses each of its refresh tokens once: by a closed loop (highest rate; CPU), then by an open loop (latency at
 * a fixed rate). The database must say afterwards that each answer was a rotation. Starts its own PostgreSQL, which syncs
 * each commit to its disk, and identity on free ports of the loopback.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client } from 'pg';
import { v7 as uuidV7 } from 'uuid';
import { RefreshTokenRequestSchema } from '../gen/optix/identity/v1/token_service_pb.ts';
import { EchoRequestSchema } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { createRefreshToken } from '../services/identity/domain/refresh-token.ts';
import type { Uuid } from '../services/identity/domain/uuid.ts';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { freePort } from '../stack/ports.ts';
import { startPostgres } from '../stack/postgres-server.ts';
import type { LoadPlan, LoadResult } from './load-plan.ts';
import { median } from './percentiles.ts';
import { cpuSeconds, load, startScript, untilAnswering } from './process.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    callers: { type: 'string', default: '32' },
    rate: { type: 'string', default: '200' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const callers = Number(values.callers);
const rate = Number(values.rate);
const CONNECTIONS = 4;
const USERS = 1000;
/** More than the closed loop can use: a token that is used twice would be answered by a read alone. */
const TOKENS_PER_SECOND = 4000;

/** Adds sessions with a refresh token each, and gives requests that use them. */
async function seed(database: Client, count: number): Promise<string[]> {
  const families = Array.from({ length: count }, (_, index) => {
    const family = uuidV7() as Uuid;
    const { token, hash } = createRefreshToken(family);
    return { session: uuidV7(), family, hash: hash.toString('hex'), user: index % USERS, token };
  });
  const rows = JSON.stringify(families.map(({ token: _, ...row }) => row));
  const from = `from jsonb_to_recordset($1::jsonb) as row(session uuid, family uuid, hash text, "user" int)
    join (select id, row_number() over (order by id) - 1 as place from user_service.users) owner on owner.place = row."user"`;
  await database.query(
    `insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
     select row.session, owner.id, now(), now() + interval '30 days', now() ${from}`,
    [rows],
  );
  await database.query(
    `insert into user_service.refresh_token_families (id, user_id, session_id, created_at, expires_at, current_token_hash)
     select row.family, owner.id, row.session, now(), now() + interval '30 days', decode(row.hash, 'hex') ${from}`,
    [rows],
  );
  return families.map(({ token }) => {
    const request = create(RefreshTokenRequestSchema, {
      refreshToken: token,
      device: { ipAddress: '192.0.2.1' },
    });
    return Buffer.from(toBinary(RefreshTokenRequestSchema, request)).toString('base64');
  });
}

/** CPU of a PostgreSQL server's processes so far, in seconds. Those of a pool stay for the whole run. */
function postgresSeconds(postmaster: number): number {
  const children = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === postmaster;
    } catch {
      // The process has ended since the directory was read.
      return false;
    }
  });
  return [postmaster, ...children.map(Number)].reduce((sum, pid) => sum + cpuSeconds(pid), 0);
}

async function rotations(database: Client): Promise<number> {
  const { rows } = await database.query<{ count: string }>(
    'select sum(generation - 1) as count from user_service.refresh_token_families',
  );
  return Number(rows[0]?.count ?? 0);
}

function requireAll(result: LoadResult, used: number): void {
  if (result.failed > 0) throw new Error(`${result.failed} calls failed`);
  if (used < result.answered) throw new Error(`${result.answered} answers, but ${used} rotations`);
}

const directory = await mkdtemp(join(tmpdir(), 'optix-bench-'));
await chmod(directory, 0o711);
try {
  await using postgres = await startPostgres({ dataDir: join(directory, 'postgres') });
  await migrateDatabase(postgres.url);
  const [grpcPort, httpPort] = [String(await freePort()), String(await freePort())];
  await using identity = startScript(new URL('../services/identity/main.ts', import.meta.url).pathname, {
    ...process.env,
    DATABASE_URL: postgres.url,
    IDENTITY_GRPC_PORT: grpcPort,
    IDENTITY_HTTP_PORT: httpPort,
    RATE_LIMIT_ENABLED: 'false',
    LOG_LEVEL: 'fatal',
  });
  await untilAnswering(`http://127.0.0.1:${httpPort}/health`);
  await using echoServer = startScript(new URL('./echo-server.ts', import.meta.url).pathname);
  const echoPort = await echoServer.firstLine;

  const database = new Client({ connectionString: postgres.url });
  await database.connect();
  await database.query(
    `insert into user_service.users (id, email, email_normalized, first_name, last_name, status, roles, created_at, updated_at)
     select gen_random_uuid(), n || '@example.com', n || '@example.com', 'Ada', 'Lovelace', 'active', '{user}', now(), now()
     from generate_series(1, $1::int) n`,
    [USERS],
  );

  const refreshes: Omit<LoadPlan, 'bodies' | 'seconds'> = {
    address: `127.0.0.1:${grpcPort}`,
    path: '/optix.identity.v1.TokenService/RefreshToken',
    connections: CONNECTIONS,
    callers,
  };
  const echoBody = Buffer.from(
    toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: 'x'.repeat(75) })),
  ).toString('base64');
  const echoes: LoadPlan = {
    address: `127.0.0.1:${echoPort}`,
    path: '/optix.testing.v1.EchoService/Echo',
    ...{ connections: CONNECTIONS, callers, bodies: [echoBody], seconds },
  };
  const figures = { rate: [], echo: [], service: [], postgres: [], p50: [], p99: [] } as Record<
    'rate' | 'echo' | 'service' | 'postgres' | 'p50' | 'p99',
    number[]
  >;

  await load({ ...refreshes, bodies: await seed(database, 2 * TOKENS_PER_SECOND), seconds: 2 });
  await load({ ...echoes, seconds: 1 });
  for (let round = 1; round <= rounds; round += 1) {
    const echoBefore = cpuSeconds(echoServer.pid);
    const echoed = await load(echoes);
    figures.echo.push(((cpuSeconds(echoServer.pid) - echoBefore) * 1e6) / echoed.answered);

    const bodies = await seed(database, seconds * TOKENS_PER_SECOND);
    await database.query('checkpoint');
    const usedBefore = await rotations(database);
    const before = { service: cpuSeconds(identity.pid), postgres: postgresSeconds(postgres.pid) };
    const closed = await load({ ...refreshes, bodies, seconds });
    const after = { service: cpuSeconds(identity.pid), postgres: postgresSeconds(postgres.pid) };
    requireAll(closed, (await rotations(database)) - usedBefore);
    figures.rate.push(closed.answered / closed.seconds);
    figures.service.push(((after.service - before.service) * 1e6) / closed.answered);
    figures.postgres.push(((after.postgres - before.postgres) * 1e6) / closed.answered);

    const open = await load({
      ...refreshes,
      bodies: await seed(database, 2 * seconds * rate),
      seconds,
      perSecond: rate,
    });
    requireAll(open, open.answered);
    figures.p50.push(open.latencyMs?.p50 ?? Number.NaN);
    figures.p99.push(open.latencyMs?.p99 ?? Number.NaN);
    process.stderr.write(`round ${round} of ${rounds}\n`);
  }
  await database.end();

  const service = median(figures.service);
  console.log(`medians of ${rounds} rounds; closed loop of ${callers} callers, open loop at ${rate}/s`);
  console.table({
    RefreshToken: {
      'refreshes/s': Math.round(median(figures.rate)),
      'service CPU µs': Math.round(service),
      'refreshes/s a core of the service': Math.round(1e6 / service),
      'PostgreSQL CPU µs': Math.round(median(figures.postgres)),
      'echo CPU µs': Math.round(median(figures.echo)),
      'p50 ms': Math.round(median(figures.p50) * 100) / 100,
      'p99 ms': Math.round(median(figures.p99) * 100) / 100,
    },
  });
} finally {
  await rm(directory, { recursive: true, force: true });
}
