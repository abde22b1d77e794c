/**
 * Whether the time or the bytes of an answer tell anything about an account: refused sign-ins and requests for a password
 * reset, at the real cost of hashing, over gRPC.
 *
 *   node bench/sign-in-timing.ts [--rounds 300]
 *
 * Each round makes one call of each kind, one after another, in a new order, for an account of its own. Welch's t-test
 * compares the times of each pair; 4.5 or more counts as a difference. Ends with code 1 where there is one, or where two
 * kinds get different bytes. Starts its own PostgreSQL and identity on free ports of the loopback.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { credentials, Client as GrpcClient, type ServiceError } from '@grpc/grpc-js';
import { Client } from 'pg';
import {
  AuthenticateRequestSchema,
  RegisterRequestSchema,
} from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { RequestPasswordResetRequestSchema } from '../gen/optix/identity/v1/credential_service_pb.ts';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { freePort } from '../stack/ports.ts';
import { startPostgres } from '../stack/postgres-server.ts';
import { median } from './percentiles.ts';
import { startScript, untilAnswering } from './process.ts';
import { moments, welchT } from './welch.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '300' } } });
const rounds = Number(values.rounds);
const LIMIT_T = 4.5;
const WARM_UP_ROUNDS = 20;
const PASSWORD = 'correct horse battery staple';
const AUTHENTICATION = '/optix.identity.v1.AuthenticationService';
const CREDENTIALS = '/optix.identity.v1.CredentialService';

/** What is made of a round's account before anything is measured: SQL that sets columns. */
const STATES = {
  active: 'status = status',
  locked: `failed_login_attempts = 5, last_login_failure_at = now(), locked_until = now() + interval '1 day'`,
  deleted: `status = 'deleted', deleted_at = now()`,
  suspended: `status = 'suspended'`,
  no_password: 'password_hash = null',
} as const;
type State = keyof typeof STATES;

interface Kind {
  readonly name: string;
  /** Null: nobody has the address. */
  readonly state: State | null;
  readonly password?: string;
}

const SIGN_INS: readonly Kind[] = [
  { name: 'unknown', state: null },
  { name: 'wrong', state: 'active', password: 'wrong horse battery staple!!' },
  { name: 'locked', state: 'locked' },
  { name: 'deleted', state: 'deleted' },
  { name: 'empty', state: 'active', password: '' },
  { name: 'suspended', state: 'suspended' },
];
const RESETS: readonly Kind[] = [
  { name: 'unknown', state: null },
  { name: 'known', state: 'active' },
  { name: 'deleted', state: 'deleted' },
  { name: 'suspended', state: 'suspended' },
  { name: 'no password', state: 'no_password' },
];

const directory = mkdtempSync(join(tmpdir(), 'optix-bench-'));
chmodSync(directory, 0o711);
try {
  await using postgres = await startPostgres({ dataDir: join(directory, 'postgres') });
  await migrateDatabase(postgres.url);
  const [grpcPort, httpPort] = [String(await freePort()), String(await freePort())];
  await using _identity = startScript(new URL('../services/identity/main.ts', import.meta.url).pathname, {
    ...process.env,
    DATABASE_URL: postgres.url,
    IDENTITY_GRPC_PORT: grpcPort,
    IDENTITY_HTTP_PORT: httpPort,
    RATE_LIMIT_ENABLED: 'false',
    NETWORK_LOCKOUT_THRESHOLD: '1000000',
    MAIL_URL: `file://${directory}/mails`,
    MAIL_FROM: 'no-reply@example.com',
    LOG_LEVEL: 'fatal',
  });
  await untilAnswering(`http://127.0.0.1:${httpPort}/health`);
  const client = new GrpcClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  const database = new Client({ connectionString: postgres.url });
  await database.connect();
  await call(client, `${AUTHENTICATION}/Register`, RegisterRequestSchema, {
    email: 'template@example.com',
    password: PASSWORD,
  });
  const isEven = [
    await compare('Authenticate', SIGN_INS, database, async ({ password = PASSWORD }, email) =>
      call(client, `${AUTHENTICATION}/Authenticate`, AuthenticateRequestSchema, { email, password }),
    ),
    await compare('RequestPasswordReset', RESETS, database, async (_kind, email) =>
      call(client, `${CREDENTIALS}/RequestPasswordReset`, RequestPasswordResetRequestSchema, { email }),
    ),
  ].every(Boolean);
  await database.end();
  client.close();
  if (!isEven) process.exitCode = 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}

/** Measures kinds of calls in turns and prints what came out. False where any two of them can be told apart. */
async function compare(
  rpc: string,
  kinds: readonly Kind[],
  database: Client,
  ask: (kind: Kind, email: string) => Promise<{ readonly ms: number; readonly answer: string }>,
): Promise<boolean> {
  const times = new Map(kinds.map(({ name }) => [name, [] as number[]]));
  const answers = new Set<string>();
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const prepared: [Kind, string][] = [];
    for (const kind of kinds) prepared.push([kind, await newAddress(database, kind.state)]);
    for (const [kind, email] of shuffled(prepared)) {
      const { ms, answer } = await ask(kind, email);
      if (round < 0) continue;
      times.get(kind.name)?.push(ms);
      answers.add(answer);
    }
    if (round % 50 === 0) process.stderr.write(`${rpc}: round ${round} of ${rounds}\n`);
  }
  console.log(`${rpc}, ${rounds} rounds: ${answers.size === 1 ? 'identical' : 'DIFFERENT'} bytes`);
  if (answers.size > 1) console.log([...answers].slice(0, 4));
  console.table(
    Object.fromEntries(
      [...times].map(([name, taken]) => [
        name,
        {
          'mean ms': rounded(moments(taken).mean),
          'median ms': rounded(median(taken)),
          'deviation ms': rounded(Math.sqrt(moments(taken).variance)),
        },
      ]),
    ),
  );
  const pairs = kinds.flatMap(({ name: one }, index) =>
    kinds.slice(index + 1).map(({ name: other }) => {
      const t = welchT(times.get(one) ?? [], times.get(other) ?? []);
      return { pair: `${one} / ${other}`, t };
    }),
  );
  console.table(Object.fromEntries(pairs.map(({ pair, t }) => [pair, { t: rounded(t) }])));
  return answers.size === 1 && pairs.every(({ t }) => Math.abs(t) < LIMIT_T);
}

/** An address of one length, with a copy of the template's account in this state. */
async function newAddress(database: Client, state: State | null): Promise<string> {
  const email = `${randomBytes(8).toString('hex')}@example.com`;
  if (state !== null) {
    await database.query(
      `insert into user_service.users (id, email, email_normalized, password_hash, roles, created_at, updated_at, version)
       select gen_random_uuid(), $1, $1, password_hash, roles, created_at, updated_at, 1
       from user_service.users where email = 'template@example.com'`,
      [email],
    );
    await database.query(`update user_service.users set ${STATES[state]} where email = $1`, [email]);
  }
  return email;
}

/** Time of a call until its answer is there, and all that the answer says. */
async function call<D extends DescMessage>(
  client: GrpcClient,
  path: string,
  schema: D,
  message: MessageInitShape<D>,
): Promise<{ readonly ms: number; readonly answer: string }> {
  const body = Buffer.from(toBinary(schema, create(schema, message)));
  const startedAt = performance.now();
  const answer = await new Promise<string>((resolve) => {
    const same = (bytes: Buffer) => bytes;
    client.makeUnaryRequest(path, same, same, body, (error: ServiceError | null, reply?: Buffer) =>
      resolve(error === null ? `ok ${reply?.toString('hex')}` : refusal(error)),
    );
  });
  return { ms: performance.now() - startedAt, answer };
}

/** Everything but the clock: the headers carry the time of day. */
function refusal({ code, details, metadata }: ServiceError): string {
  const { date: _date, ...said } = metadata.getMap();
  return JSON.stringify([code, details, said]);
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
