/**
 * What signing in feels of retention: p99 before, while and after months of sessions and of the audit log are dropped.
 *
 *   node bench/retention.ts [--rows 1000000] [--rounds 4] [--seconds 40] [--rate 15]
 *
 * Spreads --rows sessions and as many sealed events over a year of months, every third of which is in the default
 * partitions, where rows are deleted by batches. Each round drops its share of the months while an open loop signs in at
 * --rate a second, for --seconds, which should be more than that takes. Medians over the rounds. Starts its own PostgreSQL,
 * which syncs each commit to its disk, and identity on free ports of the loopback.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  AuthenticateRequestSchema,
  RegisterRequestSchema,
} from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { RunMaintenanceTaskRequestSchema } from '../gen/optix/identity/v1/maintenance_service_pb.ts';
import { type BenchPostgres, startBenchPostgres } from './bench-postgres.ts';
import { encoded } from './encoded.ts';
import { addUsers } from './fill-users.ts';
import { startIdentityProcess } from './identity-process.ts';
import { openLoop } from './open-loop.ts';
import { median, type Percentiles } from './percentiles.ts';
import { RawClient } from './raw-client.ts';
import { rounded } from './rounded.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '40' },
    rate: { type: 'string', default: '15' },
  },
});
const rows = Number(values.rows);
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const perSecond = Number(values.rate);
const MONTHS = 12;
/** Of the oldest rows, in days: what is younger than the first month is kept. */
const YOUNGEST_DAYS = 62;
const OLDEST_DAYS = YOUNGEST_DAYS + MONTHS * 30;
const USERS = 3000;
const PASSWORD = 'plenty of ducks on the canal';
const AUTHENTICATION = '/optix.identity.v1.AuthenticationService';
const RUN = '/optix.identity.v1.MaintenanceService/RunMaintenanceTask';

/** Makes the months' partitions but for every third, and fills them. Before anybody signs in: the chain is in order of time. */
async function fill({ database }: BenchPostgres): Promise<void> {
  for (const table of ['sessions_history', 'security_events', 'security_event_seals']) {
    const { rows: made } = await database.query<{ name: string }>(
      'select user_service.ensure_partitions($1, now() - make_interval(days => $2), 3) as name',
      [table, OLDEST_DAYS],
    );
    for (const [index, { name }] of made.entries()) {
      if (index % 3 === 2 && index < MONTHS) await database.query(`drop table user_service.${name}`);
    }
  }
  const spread = `make_interval(secs => -86400 * (${OLDEST_DAYS} - ${MONTHS * 30}.0 * n / ${rows}))`;
  await database.query(
    `insert into user_service.sessions_history
       (id, user_id, ip_address, created_at, expires_at, terminated_at, last_activity_at)
     select uuidv7(ago), (array(select id from user_service.users))[1 + n % ${USERS}], '192.0.2.1', now() + ago, now() + ago,
       now() + ago, now() + ago
     from generate_series(1, ${rows}) n, lateral (select ${spread} as ago) as times`,
  );
  await database.query(
    `insert into user_service.security_events
       (id, event_type, severity, description, user_id, ip_address, metadata, created_at)
     select uuidv7(ago), 'login_succeeded', 'info', 'A session was opened with a password.',
       (array(select id from user_service.users))[1 + n % ${USERS}], '192.0.2.1', '{"method": "password"}', now() + ago
     from generate_series(1, ${rows}) n, lateral (select ${spread} as ago) as times`,
  );
  await database.query(
    `insert into user_service.security_event_seals (event_id, sequence, event_hash, chain_hash, sealed_at)
     select id, row_number() over (order by id), sha256('event'), sha256('chain'), now() from user_service.security_events`,
  );
  await database.query(
    'vacuum analyze user_service.sessions_history, user_service.security_events, user_service.security_event_seals',
  );
  // Not before it is asked for.
  await database.query(
    `insert into user_service.maintenance_tasks (name, next_run_at) values ('retention', now() + interval '1 day')`,
  );
}

/** Gives every user the password of one who has registered. */
async function setPasswords({ database }: BenchPostgres, client: RawClient): Promise<void> {
  const registration = encoded(RegisterRequestSchema, { email: 'template@example.com', password: PASSWORD });
  await client.call(`${AUTHENTICATION}/Register`, registration);
  await database.query(
    `update user_service.users set status = 'active', password_hash =
       (select password_hash from user_service.users where email = 'template@example.com')`,
  );
}

interface Round {
  readonly before: Percentiles;
  readonly during: Percentiles;
  readonly after: Percentiles;
  /** How long retention took, in seconds. */
  readonly tookSeconds: number;
  /** What it dropped or took batches from. */
  readonly count: number;
}

/** How retention stands; its time once it has ended. */
async function retentionState({ database }: BenchPostgres) {
  const { rows: found } = await database.query<{
    ended: boolean;
    seconds: number;
    total: number;
  }>(
    `select lease_holder is null and next_run_at > now() + interval '1 minute' as ended,
       total_count::int as total,
       coalesce(extract(epoch from last_finished_at - last_started_at), 0)::float8 as seconds
     from user_service.maintenance_tasks where name = 'retention'`,
  );
  const [state] = found;
  if (state === undefined) throw new Error('retention is no task');
  return state;
}

async function runRound(
  postgres: BenchPostgres,
  { signIns, keptDays }: { readonly signIns: () => string; readonly keptDays: number },
): Promise<Round> {
  const days = String(keptDays);
  await using identity = await startIdentityProcess({
    DATABASE_URL: postgres.url,
    AUDIT_RETENTION_DAYS: days,
    SESSION_RETENTION_DAYS: days,
    SESSION_LIFETIME_SECONDS: '86400',
    SESSION_IDLE_TIMEOUT_SECONDS: '3600',
  });
  using client = new RawClient(identity.address);
  if (keptDays === firstDays) await setPasswords(postgres, client);
  const measure = async (duration = seconds) =>
    await openLoop({
      perSecond,
      seconds: duration,
      ask: async () => await client.call(`${AUTHENTICATION}/Authenticate`, signIns()),
    });
  await measure(3);
  const dropped = (await retentionState(postgres)).total;
  const before = await measure();
  await client.call(RUN, encoded(RunMaintenanceTaskRequestSchema, { name: 'retention' }));
  const during = await measure();
  for (;;) {
    const { ended, seconds: tookSeconds, total } = await retentionState(postgres);
    if (ended) return { before, during, after: await measure(), tookSeconds, count: total - dropped };
    await sleep(100);
  }
}

/** What the rounds keep, in days: each a share of the months less than the one before. */
const keptDays = Array.from({ length: rounds }, (_, round) =>
  Math.round(YOUNGEST_DAYS - 31 + ((rounds - 1 - round) * MONTHS * 30) / rounds),
);
const [firstDays] = keptDays;

await using postgres = await startBenchPostgres({ shared_buffers: '512MB', max_wal_size: '4GB' });
await addUsers(postgres.database, USERS);
await fill(postgres);
const { rows: users } = await postgres.database.query<{ email: string }>(
  'select email from user_service.users order by random()',
);
let turn = 0;
const signIns = (): string => {
  turn += 1;
  return encoded(AuthenticateRequestSchema, {
    email: users[turn % users.length]?.email ?? '',
    password: PASSWORD,
  });
};
const measured: Round[] = [];
for (const kept of keptDays) {
  const round = await runRound(postgres, { signIns, keptDays: kept });
  measured.push(round);
  process.stderr.write(
    `kept ${kept} days: ${round.count} drops and batches in ${rounded(round.tookSeconds)} s; p99 ` +
      `${rounded(round.before.p99)}, ${rounded(round.during.p99)}, ${rounded(round.after.p99)} ms\n`,
  );
}

const row = (of: 'before' | 'during' | 'after') => ({
  'p50 ms': rounded(median(measured.map((round) => round[of].p50))),
  'p99 ms': rounded(median(measured.map((round) => round[of].p99))),
  'p99 to before': rounded(median(measured.map((round) => round[of].p99 / round.before.p99))),
  'max ms': rounded(Math.max(...measured.map((round) => round[of].max))),
});
console.log(
  `${rows} sessions and as many events; ${rounds} rounds; sign-ins by an open loop at ${perSecond}/s for ${seconds} s each; ` +
    `retention took ${rounded(median(measured.map(({ tookSeconds }) => tookSeconds)))} s`,
);
console.table({ before: row('before'), during: row('during'), after: row('after') });
