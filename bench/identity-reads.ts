/**
 * Cost of identity's reads beside a grpc-js echo server, in one run: looking into access tokens, from Redis and from
 * PostgreSQL, and reading users.
 *
 *   node bench/identity-reads.ts [--rounds 5] [--seconds 4] [--callers 64] [--rate 1000] [--users 20000] [--tokens 200]
 *                                [--only 'GetUser,warm']
 *
 * Each round measures each subject by a closed loop (highest rate; CPU of the server, of PostgreSQL and of Redis, and
 * statements) and an open loop (latency at a fixed rate). Medians over the rounds. Ends with code 1 where looking into
 * warm tokens ran a statement on users, which each look into the database does. Starts its own PostgreSQL, Redis and
 * servers on free ports of the loopback.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { GetUserRequestSchema } from '../gen/optix/identity/v1/identity_service_pb.ts';
import {
  BatchIntrospectTokensRequestSchema,
  IntrospectTokenRequestSchema,
  TokenService,
} from '../gen/optix/identity/v1/token_service_pb.ts';
import { EchoRequestSchema } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { startRedis } from '../stack/redis-server.ts';
import { startBenchPostgres } from './bench-postgres.ts';
import { type CallCosts, type MeasuredCalls, measureCalls } from './call-costs.ts';
import { encoded } from './encoded.ts';
import { addUsers } from './fill-users.ts';
import { startIdentityProcess } from './identity-process.ts';
import { median } from './percentiles.ts';
import { cpuSeconds, startScript } from './process.ts';
import { rounded } from './rounded.ts';
import type { Server } from './subjects.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    callers: { type: 'string', default: '64' },
    rate: { type: 'string', default: '1000' },
    users: { type: 'string', default: '20000' },
    tokens: { type: 'string', default: '200' },
    only: { type: 'string', default: '' },
  },
});
const rounds = Number(values.rounds);
const plan = {
  seconds: Number(values.seconds),
  callers: Number(values.callers),
  rate: Number(values.rate),
};
const only = values.only.split(',');
const SESSIONS_PER_USER = 20;
const BATCH = 100;
const PASSWORD = 'plenty of ducks on the canal';
const GET_USER = '/optix.identity.v1.IdentityService/GetUser';
const TOKENS = '/optix.identity.v1.TokenService';

interface Subject extends MeasuredCalls {
  /** The echo of about its request's size. */
  readonly floor: Subject | null;
  readonly rounds: CallCosts[];
}

/** Signs users in, each as often as may be, and makes sure that the tokens are good. */
async function accessTokens(address: string, count: number): Promise<string[]> {
  using transport = createGrpcTransport({ address });
  const authentication = createClient(AuthenticationService, transport);
  const tokens: string[] = [];
  for (let user = 0; tokens.length < count; user += 1) {
    const email = `ada${user}@example.com`;
    await authentication.register({ email, password: PASSWORD });
    for (let times = 0; times < SESSIONS_PER_USER && tokens.length < count; times += 1) {
      tokens.push((await authentication.authenticate({ email, password: PASSWORD })).accessToken);
    }
  }
  const { results } = await createClient(TokenService, transport).batchIntrospectTokens({
    tokens: tokens.slice(0, BATCH),
  });
  if (!results.every(({ active }) => active)) throw new Error('a token is not active');
  return tokens;
}

function subjects(
  servers: { readonly echo: Server; readonly identity: Server; readonly withoutRedis: Server },
  data: { readonly tokens: readonly string[]; readonly users: readonly { id: string; email: string }[] },
): Subject[] {
  const { tokens, users } = data;
  const subject = (
    name: string,
    server: Server,
    path: string,
    bodies: readonly string[],
    more: { readonly floor: Subject | null; readonly thingsPerCall?: number },
  ): Subject => ({ name, server, path, bodies, thingsPerCall: 1, rounds: [], ...more });
  const echo = (name: string, texts: readonly string[]): Subject =>
    subject(
      name,
      servers.echo,
      '/optix.testing.v1.EchoService/Echo',
      texts.map((text) => encoded(EchoRequestSchema, { text })),
      { floor: null },
    );
  const ofIds = echo(
    'grpc-js echo of an id',
    users.map(({ id }) => id),
  );
  const ofTokens = echo('grpc-js echo of a token', tokens);
  const single = tokens.map((token) => encoded(IntrospectTokenRequestSchema, { token }));
  const batches = Array.from({ length: Math.ceil(tokens.length / BATCH) }, (_, index) =>
    encoded(BatchIntrospectTokensRequestSchema, { tokens: tokens.slice(index * BATCH, (index + 1) * BATCH) }),
  );
  const { identity, withoutRedis } = servers;
  return [
    ofIds,
    subject(
      'GetUser by id',
      identity,
      GET_USER,
      users.map(({ id }) => encoded(GetUserRequestSchema, { id })),
      { floor: ofIds },
    ),
    subject(
      'GetUser by e-mail',
      identity,
      GET_USER,
      users.map(({ email }) => encoded(GetUserRequestSchema, { email })),
      { floor: ofIds },
    ),
    ofTokens,
    subject('IntrospectToken, warm', identity, `${TOKENS}/IntrospectToken`, single, { floor: ofTokens }),
    subject(`BatchIntrospectTokens of ${BATCH}, warm`, identity, `${TOKENS}/BatchIntrospectTokens`, batches, {
      floor: ofTokens,
      thingsPerCall: BATCH,
    }),
    subject('IntrospectToken without Redis', withoutRedis, `${TOKENS}/IntrospectToken`, single, {
      floor: ofTokens,
    }),
  ];
}

const tokenCount = Number(values.tokens);
if (!(tokenCount >= BATCH && tokenCount % BATCH === 0)) {
  throw new Error(`--tokens must be a multiple of ${BATCH}`);
}
await using postgres = await startBenchPostgres();
await using redis = await startRedis({ dir: join(postgres.directory, 'redis') });
await using echoServer = startScript(new URL('./echo-server.ts', import.meta.url).pathname);
await using identity = await startIdentityProcess({ DATABASE_URL: postgres.url, REDIS_URL: redis.url });
await using withoutRedis = await startIdentityProcess({ DATABASE_URL: postgres.url });
const tokens = await accessTokens(identity.address, tokenCount);
await addUsers(postgres.database, Number(values.users));
const { rows: users } = await postgres.database.query<{ id: string; email: string }>(
  'select id, email from user_service.users order by random() limit 20000',
);
const echo = { pid: echoServer.pid, address: `127.0.0.1:${await echoServer.firstLine}` };
const all = subjects({ echo, identity, withoutRedis }, { tokens, users });
const wanted = all.filter(({ name }) => only.some((part) => name.includes(part)));
const measured = all.filter((subject) => wanted.some((one) => one === subject || one.floor === subject));

/** Every look into the database joins users; what runs in the background does not. */
const onUsers = async () => await postgres.statements('user_service.users');
let readsOfWarmTokens = 0;
for (let round = 1; round <= rounds; round += 1) {
  for (const subject of measured) {
    const before = await onUsers();
    subject.rounds.push(
      await measureCalls(subject, plan, {
        postgres: () => postgres.cpuSeconds(),
        redis: () => cpuSeconds(redis.pid),
        statements: async () => await postgres.statements(''),
      }),
    );
    if (subject.name.includes('warm')) readsOfWarmTokens += (await onUsers()) - before;
  }
  process.stderr.write(`round ${round} of ${rounds}\n`);
}

console.log(
  `medians of ${rounds} rounds; closed loop of ${plan.callers} callers, open loop at ${plan.rate}/s; ` +
    `${users.length} users, ${tokens.length} tokens`,
);
console.table(
  Object.fromEntries(
    measured.map((subject) => {
      const middle = (of: Subject, figure: (costs: CallCosts) => number) => median(of.rounds.map(figure));
      const micros = middle(subject, ({ serverMicros }) => serverMicros);
      const floor = middle(subject.floor ?? subject, ({ serverMicros }) => serverMicros);
      const metered = (name: string) => middle(subject, (costs) => costs.metered[name] ?? Number.NaN);
      return [
        subject.name,
        {
          'a second': Math.round(middle(subject, ({ rate }) => rate)),
          'server CPU µs': rounded(micros),
          'ratio to echo': rounded(micros / floor),
          'PostgreSQL CPU µs': rounded(metered('postgres') * 1e6),
          'Redis CPU µs': rounded(metered('redis') * 1e6),
          statements: rounded(metered('statements')),
          'p50 ms': rounded(middle(subject, ({ latencyMs }) => latencyMs.p50)),
          'p99 ms': rounded(middle(subject, ({ latencyMs }) => latencyMs.p99)),
        },
      ];
    }),
  ),
);
console.log(`statements that looked for warm tokens in the database: ${readsOfWarmTokens}`);
if (readsOfWarmTokens > 0) process.exitCode = 1;
