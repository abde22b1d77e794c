import { MikroORM } from '@mikro-orm/postgresql';
import { Client } from 'pg';
import type { IdentityConfig } from '../../../services/identity/config.ts';
import { pendingMigrations } from '../../../services/identity/storage/migrate.ts';
import { ormOptions } from '../../../services/identity/storage/mikro-orm.config.ts';
import { checkClock } from './clock-skew.ts';
import { Findings } from './finding.ts';
import { LEAST_VERSION } from './least-version.ts';
import { checkAuditRights } from './postgres-rights.ts';
import { checkPostgresSettings } from './postgres-settings.ts';

type DatabaseConfig = Pick<
  IdentityConfig,
  | 'databaseUrl'
  | 'databaseReplicaUrls'
  | 'databaseConnectTimeoutMs'
  | 'databasePoolSize'
  | 'databaseMaxOverflow'
  | 'environment'
>;

/** Looks at identity's PostgreSQL and its replicas. Changes nothing. */
export async function checkPostgres(config: DatabaseConfig): Promise<Findings> {
  const findings = new Findings('postgresql');
  const client = await open('PostgreSQL (DATABASE_URL)', config.databaseUrl, config, findings);
  if (client !== undefined) {
    try {
      await checkServer(client, config, findings);
    } catch (error) {
      findings.add(
        'problem',
        `PostgreSQL (DATABASE_URL) can't be looked at: ${(error as Error).message}`,
        'what is not looked at may be wrong',
        'check that the role may connect and read, and that the server stays up',
      );
    } finally {
      await client.end();
    }
  }
  for (const [index, url] of (config.databaseReplicaUrls ?? []).entries()) {
    await checkReplica(`replica ${index + 1} (DATABASE_REPLICA_URLS)`, url, config, findings);
  }
  return findings;
}

async function checkServer(client: Client, config: DatabaseConfig, findings: Findings): Promise<void> {
  const beforeMs = Date.now();
  const row = await only<{ version: string; number: number; ms: number; standby: boolean }>(
    client,
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
       pg_is_in_recovery() as standby, extract(epoch from clock_timestamp())::float8 * 1000 as ms`,
  );
  const afterMs = Date.now();
  if (row.number >= LEAST_VERSION) findings.ok(`PostgreSQL ${row.version}`);
  else {
    const why = 'the migrations need PostgreSQL 15 or newer';
    findings.add('problem', `PostgreSQL ${row.version}`, why, 'upgrade the server');
  }
  if (row.standby) {
    const advice = 'let DATABASE_URL name the primary (docs/postgresql.md)';
    findings.add('problem', 'DATABASE_URL names a standby', 'nothing can be written there', advice);
  }
  checkClock('PostgreSQL', { beforeMs, theirsMs: row.ms, afterMs }, findings);
  await checkPostgresSettings(client, config, findings);
  const isMigrated = await checkMigrations(config.databaseUrl, findings);
  if (isMigrated) await checkAuditRights(client, config.environment, findings);
}

async function checkMigrations(databaseUrl: string, findings: Findings): Promise<boolean> {
  const orm = await MikroORM.init(ormOptions({ databaseUrl, poolSize: 1, maxOverflow: 0 }));
  try {
    const pending = await pendingMigrations(orm);
    if (pending.length === 0) findings.ok('no migration is pending');
    else {
      findings.add(
        'problem',
        `${pending.length} migrations are pending, from ${pending[0]} on`,
        'identity says NOT_SERVING until they have run',
        'run optix migrate as the role that owns the database',
      );
    }
    return pending.length === 0;
  } finally {
    await orm.close();
  }
}

async function checkReplica(
  name: string,
  url: string,
  config: DatabaseConfig,
  findings: Findings,
): Promise<void> {
  const client = await open(name, url, config, findings);
  if (client === undefined) return;
  try {
    const { standby, lag } = await only<{ standby: boolean; lag: number | null }>(
      client,
      `select pg_is_in_recovery() as standby,
         extract(epoch from now() - pg_last_xact_replay_timestamp())::float8 as lag`,
    );
    const age = lag === null ? '' : `, what it replayed last is ${lag.toFixed(1)} s old`;
    if (standby) findings.ok(`${name} is a standby${age}`);
    else {
      const why = 'what it answers may have nothing to do with the database';
      findings.add('problem', `${name} is no standby`, why, 'name a streaming replica, or none');
    }
  } finally {
    await client.end();
  }
}

/** Undefined, and told, where it can't be reached. */
async function open(
  name: string,
  url: string,
  { databaseConnectTimeoutMs }: DatabaseConfig,
  findings: Findings,
): Promise<Client | undefined> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: databaseConnectTimeoutMs,
    query_timeout: 10_000,
    application_name: 'optix-doctor',
  });
  // A server that ends says so also while nothing is asked; the next query fails all the same.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    findings.add(
      'problem',
      `${name} can't be reached: ${message || code}`,
      'identity can do nothing without its database',
      /^28/.test(code)
        ? 'check user and password in the URL, and pg_hba.conf'
        : 'check that it runs, and host, port and database in the URL',
    );
    return undefined;
  }
}

async function only<Row extends object>(client: Client, sql: string): Promise<Row> {
  const { rows } = await client.query<Row>(sql);
  const [row] = rows;
  if (row === undefined) throw new Error('PostgreSQL answered no row');
  return row;
}
