import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { startPostgres } from '../stack/postgres-server.ts';
import { cpuSeconds } from './process.ts';

/** A PostgreSQL for one run, which syncs each commit to its disk, with the schema in its database. */
export interface BenchPostgres extends AsyncDisposable {
  /** Of the database `optix`. It holds the password. */
  readonly url: string;
  /** A connection to that database, as its owner. */
  readonly database: Client;
  /** The run's temporary directory, which goes with the server. */
  readonly directory: string;
  /** CPU time of all its processes so far, in seconds. Those of connections that have ended are left out. */
  cpuSeconds(): number;
  /** Statements that were run in the database so far whose text holds `part`; all where it is empty. */
  statements(part: string): Promise<number>;
}

/** Starts one on a free port of the loopback, with these settings over what a developer's machine gets. */
export async function startBenchPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchPostgres> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'optix-bench-'));
  resources.defer(async () => await rm(directory, { recursive: true, force: true }));
  // PostgreSQL runs as another user where this runs as root.
  await chmod(directory, 0o711);
  const server = resources.use(
    await startPostgres({
      dataDir: join(directory, 'postgres'),
      settings: { shared_preload_libraries: 'pg_stat_statements', ...settings },
    }),
  );
  await migrateDatabase(server.url);
  const database = new Client({ connectionString: server.url });
  await database.connect();
  resources.defer(async () => await database.end());
  await database.query('create extension pg_stat_statements');
  const owned = resources.move();
  return {
    url: server.url,
    database,
    directory,
    cpuSeconds: () => familySeconds(server.pid),
    async statements(part) {
      const { rows } = await database.query<{ calls: number }>(
        `select coalesce(sum(calls), 0)::float8 as calls from pg_stat_statements(true)
         where dbid = (select oid from pg_database where datname = current_database())
           and query not like '%pg_stat_statements%' and strpos(query, $1) > 0`,
        [part],
      );
      return rows[0]?.calls ?? 0;
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

function familySeconds(parent: number): number {
  const children = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    const stat = unlessEnded(() => readFileSync(`/proc/${name}/stat`, 'utf8'));
    return stat !== null && Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
  });
  return [parent, ...children.map(Number)].reduce(
    (sum, pid) => sum + (unlessEnded(() => cpuSeconds(pid)) ?? 0),
    0,
  );
}

/** Null where the process has ended since the directory was read. */
function unlessEnded<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
