/**
 * Cost of looking into an access token, warm, beside a grpc-js echo server, in one run; and its statements.
 *
 *   node bench/introspect.ts [--rounds 5] [--seconds 4] [--callers 64] [--rate 2000] [--tokens 200]
 *
 * Each round measures each subject by a closed loop (highest rate; CPU of the server and of Redis, statements of
 * PostgreSQL) and an open loop (latency at a fixed rate). Medians over the rounds. The echo is of a token's size, as a
 * token is most of what goes over the wire. Starts its own PostgreSQL, Redis and servers on free ports of the loopback.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { Client as Database } from 'pg';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import {
  BatchIntrospectTokensRequestSchema,
  IntrospectTokenRequestSchema,
  TokenService,
} from '../gen/optix/identity/v1/token_service_pb.ts';
import { EchoRequestSchema } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { freePort } from '../stack/ports.ts';
import { startPostgres } from '../stack/postgres-server.ts';
import { startRedis } from '../stack/redis-server.ts';
import { median, type Percentiles } from './percentiles.ts';
import { type Child, cpuSeconds, load, startScript, untilAnswering } from './process.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    callers: { type: 'string', default: '64' },
    rate: { type: 'string', default: '2000' },
    tokens: { type: 'string', default: '200' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const callers = Number(values.callers);
const rate = Number(values.rate);
const tokenCount = Number(values.tokens);
const CONNECTIONS = 4;
const SESSIONS_PER_USER = 20;
const BATCH = 100;
const PASSWORD = 'plenty of ducks on the canal';
const INTROSPECT = '/optix.identity.v1.TokenService/IntrospectToken';

interface Subject {
  readonly name: string;
  readonly address: string;
  readonly pid: number;
  readonly path: string;
  readonly bodies: readonly string[];
  readonly tokensPerCall: number;
  readonly figures: {
    micros: number;
    redisMicros: number;
    statements: number;
    rate: number;
    latency: Percentiles;
  }[];
}

async function startIdentity(env: Record<string, string>): Promise<Child & { readonly address: string }> {
  const [grpcPort, httpPort] = [String(await freePort()), String(await freePort())];
  const child = startScript(new URL('../services/identity/main.ts', import.meta.url).pathname, {
    ...process.env,
    ...env,
    IDENTITY_GRPC_PORT: grpcPort,
    IDENTITY_HTTP_PORT: httpPort,
    RATE_LIMIT_ENABLED: 'false',
    LOG_LEVEL: 'fatal',
  });
  await untilAnswering(`http://127.0.0.1:${httpPort}/health`);
  return { ...child, address: `127.0.0.1:${grpcPort}` };
}

/** Signs users in, each as often as may be. */
async function signIn(address: string): Promise<string[]> {
  using transport = createGrpcTransport({ address });
  const authentication = createClient(AuthenticationService, transport);
  const tokens: string[] = [];
  for (let user = 0; tokens.length < tokenCount; user += 1) {
    const email = `user${user}@example.com`;
    await authentication.register({ email, password: PASSWORD });
    for (let times = 0; times < SESSIONS_PER_USER && tokens.length < tokenCount; times += 1) {
      tokens.push((await authentication.authenticate({ email, password: PASSWORD })).accessToken);
    }
  }
  const { results } = await createClient(TokenService, transport).batchIntrospectTokens({ tokens });
  if (!results.every(({ active }) => active)) throw new Error('a token is not active');
  return tokens;
}

function encoded<D extends DescMessage>(schema: D, message: MessageInitShape<D>): string {
  return Buffer.from(toBinary(schema, create(schema, message))).toString('base64');
}

async function measure(subject: Subject, redisPid: number, database: Database): Promise<void> {
  const plan = {
    address: subject.address,
    path: subject.path,
    bodies: subject.bodies,
    connections: CONNECTIONS,
    callers: Math.max(CONNECTIONS, Math.ceil(callers / subject.tokensPerCall)),
  };
  await load({ ...plan, seconds: 1 });
  const spent = async () => ({
    server: cpuSeconds(subject.pid),
    redis: cpuSeconds(redisPid),
    statements: await statementsOn(database),
  });
  const before = await spent();
  const closed = await load({ ...plan, seconds });
  const after = await spent();
  const open = await load({ ...plan, seconds, perSecond: Math.max(1, rate / subject.tokensPerCall) });
  if (closed.failed + open.failed > 0 || open.latencyMs === null)
    throw new Error(`${subject.name}: calls failed`);
  const tokens = closed.answered * subject.tokensPerCall;
  subject.figures.push({
    micros: ((after.server - before.server) * 1e6) / tokens,
    redisMicros: ((after.redis - before.redis) * 1e6) / tokens,
    statements: (after.statements - before.statements) / closed.seconds,
    rate: tokens / closed.seconds,
    latency: open.latencyMs,
  });
}

/** Statements that looked for sessions, so far: one scan of a partition's key at least is due to each. */
async function statementsOn(database: Database): Promise<number> {
  // What backends have counted reaches the view a second later at most.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const { rows } = await database.query(
    `select sum(idx_scan + seq_scan)::float8 as scans from pg_stat_user_tables
     where schemaname = 'user_service' and relname = 'users'`,
  );
  return rows[0].scans;
}

const directory = await mkdtemp(join(tmpdir(), 'optix-bench-'));
// PostgreSQL runs as another user where this runs as root.
await chmod(directory, 0o755);
try {
  await using postgres = await startPostgres({ dataDir: join(directory, 'postgres') });
  await using redis = await startRedis({ dir: join(directory, 'redis') });
  await migrateDatabase(postgres.url);
  await using echoServer = startScript(new URL('./echo-server.ts', import.meta.url).pathname);
  await using identity = await startIdentity({ DATABASE_URL: postgres.url, REDIS_URL: redis.url });
  await using withoutRedis = await startIdentity({ DATABASE_URL: postgres.url, REDIS_URL: '' });
  const tokens = await signIn(identity.address);
  const single = tokens.map((token) => encoded(IntrospectTokenRequestSchema, { token }));
  const batches = Array.from({ length: Math.ceil(tokens.length / BATCH) }, (_, index) =>
    encoded(BatchIntrospectTokensRequestSchema, { tokens: tokens.slice(index * BATCH, (index + 1) * BATCH) }),
  );
  const subject = (
    name: string,
    server: { pid: number; address: string },
    path: string,
    bodies: string[],
    tokensPerCall = 1,
  ): Subject => ({
    ...{ name, address: server.address, pid: server.pid, path, bodies, tokensPerCall, figures: [] },
  });
  const echo = { pid: echoServer.pid, address: `127.0.0.1:${await echoServer.firstLine}` };
  const subjects = [
    subject(
      'grpc-js echo',
      echo,
      '/optix.testing.v1.EchoService/Echo',
      tokens.map((text) => encoded(EchoRequestSchema, { text })),
    ),
    subject('IntrospectToken, warm', identity, INTROSPECT, single),
    subject(
      'BatchIntrospectTokens of 100',
      identity,
      '/optix.identity.v1.TokenService/BatchIntrospectTokens',
      batches,
      BATCH,
    ),
    subject('IntrospectToken without Redis', withoutRedis, INTROSPECT, single),
  ];
  const database = new Database({ connectionString: postgres.url });
  await database.connect();
  for (let round = 1; round <= rounds; round += 1) {
    for (const each of subjects) await measure(each, redis.pid, database);
    process.stderr.write(`round ${round} of ${rounds}\n`);
  }
  await database.end();

  const middle = (of: Subject, figure: (figures: Subject['figures'][number]) => number) =>
    median(of.figures.map(figure));
  const [floor] = subjects as [Subject];
  console.log(
    `medians of ${rounds} rounds; ${tokenCount} tokens, closed loop of ${callers} callers, open loop at ${rate}/s`,
  );
  console.table(
    Object.fromEntries(
      subjects.map((each) => [
        each.name,
        {
          'tokens/s': Math.round(middle(each, (figures) => figures.rate)),
          'server CPU µs/token': rounded(middle(each, ({ micros }) => micros)),
          'ratio to echo': rounded(
            middle(each, ({ micros }) => micros) / middle(floor, ({ micros }) => micros),
          ),
          'Redis CPU µs/token': rounded(middle(each, ({ redisMicros }) => redisMicros)),
          'scans of users/s': rounded(middle(each, ({ statements }) => statements)),
          'p50 ms': rounded(middle(each, ({ latency }) => latency.p50)),
          'p99 ms': rounded(middle(each, ({ latency }) => latency.p99)),
        },
      ]),
    ),
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
