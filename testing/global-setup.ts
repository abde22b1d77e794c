import { chmodSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { writePidFile } from '../stack/pid-file.ts';
import { closedDirectory, postgresAccount } from '../stack/postgres-account.ts';
import { type PostgresServer, startPostgres } from '../stack/postgres-server.ts';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';
import { withDatabase, withTestClient } from './database-admin.ts';
import { OWNER_FILE, removeWithProcesses, sweepKilledRuns } from './leftovers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a database of the tests' PostgreSQL server, whose user may create others. */
    postgresUrl: string;
    /** Name of the database that has all migrations, to be copied. */
    templateDatabase: string;
    /** URL of the tests' Redis server, without a database number. */
    redisUrl: string;
    /** Directory in which test files claim Redis databases. */
    redisClaims: string;
    /** Directory that goes after the tests, and that PostgreSQL's own user can get to. */
    temporaryDirectory: string;
  }
}

/** How many test files can have a Redis database of their own. */
export const REDIS_DATABASES = 1024;
const TEMPLATE_DATABASE = 'optix_template';
const PREFIX = 'optix-test-';

/**
 * Starts one PostgreSQL and one Redis for all test files, in a temporary directory. Each file then takes a database of
 * its own: testing/database.ts and testing/redis.ts.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const temporary = passableTemporaryDirectory();
  await sweepKilledRuns(temporary, PREFIX);
  const directory = mkdtempSync(join(temporary, PREFIX));
  chmodSync(directory, 0o711);
  writePidFile(join(directory, OWNER_FILE), process.pid);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeWithProcesses(directory));
  // The tests' own temporary files and stores go the same way, whatever becomes of the test that made them.
  process.env['TMPDIR'] = directory;

  const postgres = await startTestPostgres(directory);
  cleanup.use(postgres);
  const redis = await startTestRedis(directory);
  cleanup.use(redis);
  const claims = join(directory, 'redis-claims');
  mkdirSync(claims);

  await withTestClient(postgres.url, (client) => client.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`));
  await migrateDatabase(withDatabase(postgres.url, TEMPLATE_DATABASE));

  project.provide('postgresUrl', postgres.url);
  project.provide('templateDatabase', TEMPLATE_DATABASE);
  project.provide('redisUrl', redis.url);
  project.provide('redisClaims', claims);
  project.provide('temporaryDirectory', directory);
  return teardownOnce(cleanup.move());
}

/** Vitest calls the teardown at the end of a run; Ctrl-C or SIGTERM ends vitest without it. */
function teardownOnce(resources: AsyncDisposableStack): () => Promise<void> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let interrupted = false;
  const onSignal = (signal: NodeJS.Signals) => {
    // Ctrl-C can arrive twice: from the terminal, and passed on by npm.
    if (interrupted) return;
    interrupted = true;
    void teardown().finally(() => process.kill(process.pid, signal));
  };
  const teardown = async () => {
    await resources.disposeAsync();
    for (const signal of signals) process.off(signal, onSignal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return teardown;
}

function startTestPostgres(directory: string): Promise<PostgresServer> {
  const settings = {
    // The data lives as long as the tests.
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '300',
  };
  return startPostgres({ dataDir: join(directory, 'postgres'), settings });
}

function startTestRedis(directory: string): Promise<RedisServer> {
  return startRedis({ dir: join(directory, 'redis'), args: ['--databases', String(REDIS_DATABASES)] });
}

/** Where PostgreSQL's own user can get to, as root: TMPDIR may lie in root's home. */
function passableTemporaryDirectory(): string {
  const account = postgresAccount();
  if (!account) return tmpdir();
  const candidates = [tmpdir(), '/tmp', '/var/tmp'].filter(existsSync);
  return candidates.find((path) => closedDirectory(path, account) === undefined) ?? tmpdir();
}
