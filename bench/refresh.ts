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
import { parseArgs } from 'node:util';
import type { Client } from 'pg';
import { v7 as uuidV7 } from 'uuid';
import { RefreshTokenRequestSchema } from '../gen/optix/identity/v1/token_service_pb.ts';
import { EchoRequestSchema } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { createRefreshToken } from '../services/identity/domain/refresh-token.ts';
import type { Uuid } from '../services/identity/domain/uuid.ts';
import { startBenchPostgres } from './bench-postgres.ts';
import { encoded } from './encoded.ts';
import { startIdentityProcess } from './identity-process.ts';
import type { LoadPlan, LoadResult } from './load-plan.ts';
import { median } from './percentiles.ts';
import { cpuSeconds, load, startScript } from './process.ts';

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
  return families.map(({ token }) =>
    encoded(RefreshTokenRequestSchema, { refreshToken: token, device: { ipAddress: '192.0.2.1' } }),
  );
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

await using postgres = await startBenchPostgres();
await using identity = await startIdentityProcess({ DATABASE_URL: postgres.url });
await using echoServer = startScript(new URL('./echo-server.ts', import.meta.url).pathname);
const echoPort = await echoServer.firstLine;

const { database } = postgres;
await database.query(
  `insert into user_service.users (id, email, email_normalized, first_name, last_name, status, roles, created_at, updated_at)
   select gen_random_uuid(), n || '@example.com', n || '@example.com', 'Ada', 'Lovelace', 'active', '{user}', now(), now()
   from generate_series(1, $1::int) n`,
  [USERS],
);

const refreshes: Omit<LoadPlan, 'bodies' | 'seconds'> = {
  address: identity.address,
  path: '/optix.identity.v1.TokenService/RefreshToken',
  connections: CONNECTIONS,
  callers,
};
const echoBody = encoded(EchoRequestSchema, { text: 'x'.repeat(75) });
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
  const before = { service: cpuSeconds(identity.pid), postgres: postgres.cpuSeconds() };
  const closed = await load({ ...refreshes, bodies, seconds });
  const after = { service: cpuSeconds(identity.pid), postgres: postgres.cpuSeconds() };
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
