/**
 * What a sign-in leaves in PostgreSQL: bytes a row, indexes included, of the tables that grow with sign-ins.
 *
 *   node bench/row-sizes.ts [--rows 300000]
 *
 * Signs a user in and refreshes once, through the service, from a device with everything that a backend may tell of one.
 * The rows of that are then copied --rows times, for users in no order, a second apart. Starts its own PostgreSQL, and
 * identity on free ports of the loopback.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fromBinary } from '@bufbuild/protobuf';
import {
  AuthenticateRequestSchema,
  AuthenticateResponseSchema,
  RegisterRequestSchema,
} from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { RefreshTokenRequestSchema } from '../gen/optix/identity/v1/token_service_pb.ts';
import { startBenchPostgres } from './bench-postgres.ts';
import { encoded } from './encoded.ts';
import { addUsers } from './fill-users.ts';
import { startIdentityProcess } from './identity-process.ts';
import { RawClient } from './raw-client.ts';

const { values } = parseArgs({ options: { rows: { type: 'string', default: '300000' } } });
const rows = Number(values.rows);
const USERS = 100_000;
const [email, password] = ['template@example.com', 'plenty of ducks on the canal'];
const device = {
  id: 'f1b8a6c2-77d0-4c0b-9f0e-5d3c1a9b2e47',
  fingerprint: 'c'.repeat(64),
  name: 'Firefox on Linux',
  ipAddress: '203.0.113.117',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
};

await using postgres = await startBenchPostgres();
const { database } = postgres;
{
  await using identity = await startIdentityProcess({ DATABASE_URL: postgres.url });
  using client = new RawClient(identity.address);
  const call = (path: string, body: string) => client.call(`/optix.identity.v1.${path}`, body);
  await call(
    'AuthenticationService/Register',
    encoded(RegisterRequestSchema, { email, password, firstName: 'Ada', lastName: 'Lovelace' }),
  );
  const signIn = encoded(AuthenticateRequestSchema, { email, password, device });
  const answer = await call('AuthenticationService/Authenticate', signIn);
  const { refreshToken } = fromBinary(AuthenticateResponseSchema, answer);
  await call('TokenService/RefreshToken', encoded(RefreshTokenRequestSchema, { refreshToken, device }));
  // Sealing comes after the commit.
  for (let left = 1; left > 0; await sleep(50)) {
    const { rows: waiting } = await database.query<{ left: number }>(
      'select count(*)::int as left from user_service.security_event_queue',
    );
    left = waiting[0]?.left ?? 0;
  }
}
await addUsers(database, USERS);
await database.query(
  'create temp table owners as select id, row_number() over () as place from user_service.users',
);

/** Which row is copied, and what is new in each copy beside its id. */
const copied = [
  { table: 'sessions_history', id: 'id', which: 'true', own: `, 'user_id', owners.id` },
  { table: 'refresh_token_families', id: 'id', which: 'true', own: `, 'user_id', owners.id` },
  {
    table: 'security_events',
    id: 'id',
    which: `event_type = 'login_succeeded'`,
    own: `, 'user_id', owners.id`,
  },
  { table: 'security_event_seals', id: 'event_id', which: 'sequence = 1', own: `, 'sequence', n` },
];
const sizes = [];
for (const { table, id, which, own } of copied) {
  await database.query(
    `insert into user_service.${table}
     select copy.*
     from (select one from user_service.${table} one where ${which} limit 1) template,
       generate_series(1, ${rows}) n join owners on owners.place = 1 + (n * 7919::bigint) % ${USERS},
       lateral jsonb_populate_record(template.one,
         jsonb_build_object('${id}', uuidv7(make_interval(secs => n - ${rows}))${own})) as copy`,
  );
  await database.query(`vacuum analyze user_service.${table}`);
  const { rows: found } = await database.query<{ bytes: number; rows: number }>(
    `select pg_total_relation_size('user_service.${table}') + coalesce(sum(pg_total_relation_size(relid)), 0)::float8 as bytes,
       (select count(*)::int from user_service.${table}) as rows
     from pg_partition_tree('user_service.${table}') where isleaf`,
  );
  const { bytes = 0, rows: count = 0 } = found[0] ?? {};
  sizes.push({ table, rows: count, 'bytes a row': Math.round(bytes / count) });
}
console.table(sizes);
