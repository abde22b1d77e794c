/**
 * Whether identity stays as fast with a million users: pages, searches and lookups beside a small database, asked in
 * turns; and the latency of lookups, new sessions, audit entries and joins under load.
 *
 *   node bench/users-million.ts [--small 10000] [--large 1000000] [--samples 500] [--seconds 20] [--rate 50]
 *
 * Under load everything is asked for at once, each by an open loop of --rate a second. Every user has a session and an
 * audit entry. Starts its own PostgreSQL, which syncs each commit to its disk, and servers on free ports of the loopback.
 * A million users take some minutes and 3 GB of disk.
 */
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import {
  GetUserRequestSchema,
  ListUsersRequestSchema,
} from '../gen/optix/identity/v1/identity_service_pb.ts';
import { UserStatus } from '../gen/optix/identity/v1/user_pb.ts';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { type BenchPostgres, startBenchPostgres } from './bench-postgres.ts';
import { encoded } from './encoded.ts';
import { addSessionsAndEvents, addUsers } from './fill-users.ts';
import { type IdentityProcess, startIdentityProcess } from './identity-process.ts';
import { interleaved } from './interleaved.ts';
import { measureLatencyTargets } from './latency-targets.ts';
import type { Percentiles } from './percentiles.ts';
import { RawClient } from './raw-client.ts';
import { rounded } from './rounded.ts';
import { type FirstAndLastPage, type Listing, listUsers, walkToLastPage } from './user-pages.ts';

const { values } = parseArgs({
  options: {
    small: { type: 'string', default: '10000' },
    large: { type: 'string', default: '1000000' },
    samples: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '50' },
  },
});
const samples = Number(values.samples);
const PAGE = 50;
const GET_USER = '/optix.identity.v1.IdentityService/GetUser';

/** A database of one size, and identity on it. */
interface Sized extends AsyncDisposable {
  readonly count: number;
  readonly url: string;
  readonly database: Client;
  readonly identity: IdentityProcess;
  readonly client: RawClient;
  /** Random users. */
  readonly users: readonly { readonly id: string; readonly email: string }[];
}

async function openSized(postgres: BenchPostgres, count: number): Promise<Sized> {
  await using resources = new AsyncDisposableStack();
  const name = `users_${count}`;
  await postgres.database.query(`create database ${name}`);
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  await migrateDatabase(url.href);
  const database = new Client({ connectionString: url.href });
  await database.connect();
  resources.defer(async () => await database.end());
  const startedAt = performance.now();
  await addUsers(database, count);
  await addSessionsAndEvents(database);
  const { rows } = await database.query<{ size: string; users: string }>(
    `select pg_size_pretty(pg_database_size(current_database())) as size,
       pg_size_pretty(pg_total_relation_size('user_service.users')) as users`,
  );
  process.stderr.write(
    `${count} users in ${Math.round((performance.now() - startedAt) / 1000)} s; database of ${rows[0]?.size}, ` +
      `users with their indexes ${rows[0]?.users}\n`,
  );
  const identity = resources.use(await startIdentityProcess({ DATABASE_URL: url.href }));
  const client = resources.use(new RawClient(identity.address));
  const { rows: users } = await database.query<{ id: string; email: string }>(
    `select id, email from user_service.users where status = 'active' order by random() limit 20000`,
  );
  const owned = resources.move();
  return {
    ...{ count, url: url.href, database, identity, client, users },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

const LISTINGS: Readonly<Record<string, { readonly listing: Listing; readonly share: number }>> = {
  create_time: { listing: { orderBy: 'create_time' }, share: 1 },
  email: { listing: { orderBy: 'email' }, share: 1 },
  last_name: { listing: { orderBy: 'last_name' }, share: 1 },
  'create_time, suspended': {
    listing: { orderBy: 'create_time', filter: { statuses: [UserStatus.SUSPENDED] } },
    share: 0.1,
  },
};

/** First against last page of each list. */
async function comparePages({ client, count }: Sized): Promise<Record<string, object>> {
  const table: Record<string, object> = {};
  for (const [name, { listing, share }] of Object.entries(LISTINGS)) {
    const startedAt = performance.now();
    const pages: FirstAndLastPage = await walkToLastPage(client, listing, {
      total: count * share,
      size: PAGE,
    });
    const walked = (performance.now() - startedAt) / 1000;
    const { first, last } = await interleaved(samples, {
      first: async () => await listUsers(client, pages.first),
      last: async () => await listUsers(client, pages.last),
    });
    table[name] = {
      ...{ 'first p50 ms': rounded(first.p50), 'last p50 ms': rounded(last.p50) },
      'last/first': rounded(last.p50 / first.p50),
      'whole list, s': rounded(walked),
    };
  }
  return table;
}

/** The same questions to both sizes. */
async function compareSizes(small: Sized, large: Sized): Promise<Record<string, object>> {
  const user = ({ users }: Sized, turn: number) =>
    users[turn % users.length] as { readonly id: string; readonly email: string };
  const search = (digits: number) => async (of: Sized, turn: number) => {
    // Addresses and names are hexadecimal digits.
    const prefix = ((turn * 2_654_435_761) % 16 ** digits).toString(16).padStart(digits, '0');
    return await listUsers(of.client, encoded(ListUsersRequestSchema, { filter: { prefix } }));
  };
  const questions: Readonly<Record<string, (of: Sized, turn: number) => Promise<unknown>>> = {
    'lookup by id': async (of, turn) =>
      await of.client.call(GET_USER, encoded(GetUserRequestSchema, { id: user(of, turn).id })),
    'lookup by e-mail': async (of, turn) =>
      await of.client.call(GET_USER, encoded(GetUserRequestSchema, { email: user(of, turn).email })),
    'search by 6 letters': search(6),
    'search by 4 letters': search(4),
    'search by 2 letters': search(2),
    'search by 1 letter': search(1),
  };
  const table: Record<string, object> = {};
  for (const [name, ask] of Object.entries(questions)) {
    const taken: { small: Percentiles; large: Percentiles } = await interleaved(samples, {
      small: async (turn) => await ask(small, turn),
      large: async (turn) => await ask(large, turn),
    });
    table[name] = {
      [`${small.count}: p50 ms`]: rounded(taken.small.p50),
      [`${large.count}: p50 ms`]: rounded(taken.large.p50),
      'large/small': rounded(taken.large.p50 / taken.small.p50),
      [`${large.count}: p99 ms`]: rounded(taken.large.p99),
    };
  }
  return table;
}

await using postgres = await startBenchPostgres({ shared_buffers: '512MB', max_wal_size: '4GB' });
await using small = await openSized(postgres, Number(values.small));
await using large = await openSized(postgres, Number(values.large));

console.log(`pages of ${PAGE} of ${large.count} users, by turns, medians of ${samples}`);
console.table(await comparePages(large));
console.log(`${small.count} against ${large.count} users, by turns, medians of ${samples}`);
console.table(await compareSizes(small, large));
const targets = await measureLatencyTargets({
  ...{ server: large.client, databaseUrl: large.url, database: large.database },
  ...{ perSecond: Number(values.rate), seconds: Number(values.seconds) },
});
console.log(`${large.count} users; all at once, ${values.rate} a second each, for ${values.seconds} s`);
console.table(
  Object.fromEntries(
    targets.map(({ name, targetMs, latencyMs }) => [
      name,
      {
        'target ms': targetMs,
        'p50 ms': rounded(latencyMs.p50),
        'p99 ms': rounded(latencyMs.p99),
        'p99.9 ms': rounded(latencyMs.p999),
        holds: latencyMs.p99 < targetMs,
      },
    ]),
  ),
);
