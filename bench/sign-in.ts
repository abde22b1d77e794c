/**
 * How much of the machine's argon2id signing in reaches, and what other calls feel of it.
 *
 *   node bench/sign-in.ts [--rounds 5] [--seconds 8] [--callers 16] [--rate 50]
 *
 * Each round runs, one after another: bare argon2id by node:crypto, with an open loop of echoes beside it (the floor);
 * Authenticate by a closed loop, with an open loop of GetUser beside it; and GetUser alone. Cost, concurrency and cores of
 * the hashing are the same. Medians over the rounds. Starts its own PostgreSQL, which syncs each commit to its disk, and
 * servers on free ports of the loopback.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  AuthenticateRequestSchema,
  RegisterRequestSchema,
} from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { GetUserRequestSchema } from '../gen/optix/identity/v1/identity_service_pb.ts';
import { EchoRequestSchema } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { type Argon2Cost, parseArgon2 } from '../services/identity/domain/password-hashes/argon2.ts';
import type { BareArgon2Plan, BareArgon2Result } from './bare-argon2.ts';
import { type BenchPostgres, startBenchPostgres } from './bench-postgres.ts';
import { encoded } from './encoded.ts';
import { addUsers } from './fill-users.ts';
import { startIdentityProcess } from './identity-process.ts';
import { type OpenLoop, openLoop } from './open-loop.ts';
import { median, type Percentiles } from './percentiles.ts';
import { cpuSeconds, load, startScript } from './process.ts';
import { RawClient } from './raw-client.ts';
import { rounded } from './rounded.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '8' },
    callers: { type: 'string', default: '16' },
    rate: { type: 'string', default: '50' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const callers = Number(values.callers);
const rate = Number(values.rate);
/** As many as HASHING_CONCURRENCY is by default. */
const CONCURRENCY = Math.min(availableParallelism(), 3);
const USERS = 5000;
const PASSWORD = 'plenty of ducks on the canal';
const AUTHENTICATION = '/optix.identity.v1.AuthenticationService';

interface Figures {
  readonly perSecond: number[];
  readonly cpuMs: number[];
  readonly postgresMs: number[];
  readonly beside: Percentiles[];
}

/** Gives every user the password of one who has registered, and returns that hash's cost. */
async function setPasswords({ database }: BenchPostgres, client: RawClient): Promise<Argon2Cost> {
  const registration = encoded(RegisterRequestSchema, { email: 'template@example.com', password: PASSWORD });
  await client.call(`${AUTHENTICATION}/Register`, registration);
  const { rows } = await database.query<{ password_hash: string }>(
    `select password_hash from user_service.users where email = 'template@example.com'`,
  );
  const hash = parseArgon2(rows[0]?.password_hash ?? '');
  if (!hash?.ok) throw new Error('no argon2 hash was stored');
  await database.query(`update user_service.users set password_hash = $1, status = 'active'`, [
    rows[0]?.password_hash,
  ]);
  await database.query('vacuum analyze user_service.users');
  const { memoryKiB, passes, parallelism } = hash.value;
  return { memoryKiB, passes, parallelism };
}

/** Runs work that lasts a while, and an open loop beside it once `isBusy`; the work should outlast that. */
async function withBeside<T>(
  work: Promise<T>,
  isBusy: () => boolean,
  beside: OpenLoop,
): Promise<[T, Percentiles]> {
  const measured = (async () => {
    while (!isBusy()) await sleep(20);
    return await openLoop(beside);
  })();
  return await Promise.all([work, measured]);
}

/** How much longer the hashing runs than what is asked beside it. */
const OVERLAP_SECONDS = 1;

async function bareArgon2(cost: Argon2Cost, beside: OpenLoop): Promise<[BareArgon2Result, Percentiles]> {
  const script = new URL('./bare-argon2.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const plan: BareArgon2Plan = { ...cost, concurrency: CONCURRENCY, seconds: seconds + OVERLAP_SECONDS };
  child.stdin.end(JSON.stringify(plan));
  const result = (async () => {
    let output = '';
    for await (const chunk of child.stdout) output += String(chunk);
    return JSON.parse(output) as BareArgon2Result;
  })();
  // A process that starts takes less than this.
  const isBusy = () => child.exitCode !== null || cpuSeconds(child.pid as number) > 0.5;
  return await withBeside(result, isBusy, beside);
}

await using postgres = await startBenchPostgres();
await using identity = await startIdentityProcess({ DATABASE_URL: postgres.url });
await using echoServer = startScript(new URL('./echo-server.ts', import.meta.url).pathname);
using client = new RawClient(identity.address);
using echoClient = new RawClient(`127.0.0.1:${await echoServer.firstLine}`);
await addUsers(postgres.database, USERS);
const cost = await setPasswords(postgres, client);
const { rows: users } = await postgres.database.query<{ id: string; email: string }>(
  'select id, email from user_service.users order by random()',
);
const signIns = users.map(({ email }) => encoded(AuthenticateRequestSchema, { email, password: PASSWORD }));
const reads = users.map(({ id }) => encoded(GetUserRequestSchema, { id }));
const echoes = users.map(({ id }) => encoded(EchoRequestSchema, { text: id }));
const loopOf = (of: RawClient, path: string, bodies: readonly string[]): OpenLoop => ({
  ...{ perSecond: rate, seconds },
  ask: async (turn) => await of.call(path, bodies[turn % bodies.length] as string),
});
const echoing = loopOf(echoClient, '/optix.testing.v1.EchoService/Echo', echoes);
const reading = loopOf(client, '/optix.identity.v1.IdentityService/GetUser', reads);

/** A round of Authenticate: by users of its own, so that nobody reaches the limit of sessions. */
async function signIn(round: number, figures: Figures): Promise<void> {
  const before = { service: cpuSeconds(identity.pid), postgres: postgres.cpuSeconds() };
  const [result, beside] = await withBeside(
    load({
      ...{ address: identity.address, path: `${AUTHENTICATION}/Authenticate`, connections: 4, callers },
      bodies: [...signIns.slice((round * 1000) % USERS), ...signIns.slice(0, (round * 1000) % USERS)],
      seconds: seconds + OVERLAP_SECONDS,
    }),
    () => cpuSeconds(identity.pid) > before.service + 0.3,
    reading,
  );
  if (result.failed > 0) throw new Error(`${result.failed} sign-ins failed`);
  figures.perSecond.push(result.answered / result.seconds);
  figures.cpuMs.push(((cpuSeconds(identity.pid) - before.service) * 1000) / result.answered);
  figures.postgresMs.push(((postgres.cpuSeconds() - before.postgres) * 1000) / result.answered);
  figures.beside.push(beside);
}

const newFigures = (): Figures => ({ perSecond: [], cpuMs: [], postgresMs: [], beside: [] });
const [bare, signingIn, alone] = [newFigures(), newFigures(), newFigures()];
await signIn(0, newFigures());
for (let round = 1; round <= rounds; round += 1) {
  const [hashed, beside] = await bareArgon2(cost, echoing);
  bare.perSecond.push(hashed.perSecond);
  bare.cpuMs.push(hashed.cpuMs);
  bare.beside.push(beside);
  await signIn(round, signingIn);
  alone.beside.push(await openLoop(reading));
  process.stderr.write(`round ${round} of ${rounds}\n`);
}

const row = ({ perSecond, cpuMs, postgresMs, beside }: Figures) => ({
  'a second': perSecond.length > 0 ? rounded(median(perSecond)) : '',
  'of bare argon2id': perSecond.length > 0 ? rounded(median(perSecond) / median(bare.perSecond)) : '',
  'CPU ms': cpuMs.length > 0 ? rounded(median(cpuMs)) : '',
  'PostgreSQL CPU ms': postgresMs.length > 0 ? rounded(median(postgresMs)) : '',
  'beside: p50 ms': rounded(median(beside.map(({ p50 }) => p50))),
  'beside: p99 ms': rounded(median(beside.map(({ p99 }) => p99))),
});
const { memoryKiB, passes, parallelism } = cost;
console.log(
  `medians of ${rounds} rounds; argon2id m=${memoryKiB} t=${passes} p=${parallelism}, ${CONCURRENCY} at once; ` +
    `closed loop of ${callers} callers; beside it an open loop at ${rate}/s`,
);
console.table({
  'bare argon2id; echo beside': row(bare),
  'Authenticate; GetUser beside': row(signingIn),
  'GetUser alone': row(alone),
});
