import type { Readable } from 'node:stream';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Pool, PoolClient } from 'pg';
import { v7 as uuidV7 } from 'uuid';
import { type VerifyResult, verifyChain } from '../domain/audit/verify-chain.ts';
import type { Uuid } from '../domain/uuid.ts';
import { StoredChain } from '../storage/audit/stored-chain.ts';
import { MIGRATION_LOCK } from '../storage/migrate.ts';
import { ormOptions } from '../storage/mikro-orm.config.ts';
import { applyPrivileges } from '../storage/privileges.ts';
import { SecurityEventRepository } from '../storage/security-event-repository.ts';
import { query } from '../storage/sql.ts';
import { type Distrusted, distrust } from './distrust.ts';
import type { DatabaseDump } from './dump-database.ts';
import { BackupRefused, withRoleAdvice } from './errors.ts';
import { loadRows } from './load-rows.ts';
import { NO_TIMEOUTS } from './no-timeouts.ts';
import { checkLevel, migrateToLevel } from './schema-level.ts';
import { type Ask, quoted, schemaTables } from './schema-tables.ts';

export interface LoadOptions {
  /** Gives the rows of a table, as COPY's text. */
  readonly open: (table: string) => Readable;
  /** Leaves sessions, signing keys and trusted devices as they are in the dump: where nothing was lost since. */
  readonly keepSessions: boolean;
  /** Called last, before all of it is committed; what it throws takes all of it back. */
  readonly beforeCommit: () => Promise<void>;
}

/** What came of a restore. */
export interface LoadedDatabase {
  readonly rows: number;
  /** What the dump has that no migration makes: tables, `table.column`, sequences. */
  readonly leftOut: readonly string[];
  /** Migrations that ran on what was loaded. */
  readonly migrated: readonly string[];
  /** Undefined where sessions were kept. */
  readonly distrusted: Distrusted | undefined;
  /** Of the chain over the audit log, as it was loaded. */
  readonly chain: VerifyResult;
}

const LOCK_TIMEOUT_MS = 60_000;
const ADVICE = 'give DATABASE_URL the role that owns the schema, as for optix migrate';

/**
 * Loads a dump into a database that has no rows, in one transaction: all of it or nothing. First the schema is brought to the
 * dump's version, and at the end to this program's.
 *
 * @throws BackupRefused where the server can't be reached, the database has rows, the dump is of a newer version, or a right is missing
 */
export async function loadDatabase(
  databaseUrl: string,
  dump: DatabaseDump,
  options: LoadOptions,
): Promise<LoadedDatabase> {
  checkLevel(dump.migrations);
  const clients = new Set<PoolClient>();
  const orm = await MikroORM.init(
    ormOptions({
      databaseUrl,
      // The migrator makes its own table on a second one.
      ...{ poolSize: 1, maxOverflow: 1, connectTimeoutMs: 10_000, statementTimeoutMs: 0 },
      ...{ lockTimeoutMs: LOCK_TIMEOUT_MS, applicationName: 'optix-restore' },
      onPoolCreated: (pool: Pool) => pool.on('connect', (client) => clients.add(client)),
    }),
  );
  try {
    await orm.em.execute('select 1').catch((error: Error) => {
      throw new BackupRefused(`the database can't be reached: ${error.message}`, { cause: error });
    });
    return await orm.em.fork().transactional(async (em) => {
      const client = await clientOf(em, clients);
      return await load(orm, em, client, dump, options);
    });
  } catch (error) {
    throw withRoleAdvice(error, ADVICE);
  } finally {
    await orm.close();
  }
}

async function load(
  orm: MikroORM,
  em: EntityManager,
  client: PoolClient,
  dump: DatabaseDump,
  { open, keepSessions, beforeCommit }: LoadOptions,
): Promise<LoadedDatabase> {
  const transaction = em.getTransactionContext();
  await client.query(NO_TIMEOUTS);
  await query(em, `select pg_advisory_xact_lock(${MIGRATION_LOCK})`, []);
  await refuseRows(em);
  await migrateToLevel(orm, em, dump.migrations);
  const known = new Set([...orm.getMetadata().getAll().values()].map(({ tableName }) => tableName));
  const { rows, leftOut } = await loadRows(client, dump, known, open);
  const migrated = await orm.migrator.up({ transaction });
  await applyPrivileges((sql) => em.getConnection().execute(sql, [], 'all', transaction));
  // Nobody else does it before the first queries come.
  for (const { name } of await schemaTables((sql) => query(em, sql, []))) {
    await query(em, `analyze user_service.${quoted(name)}`, []);
  }
  const chain = await verifyChain(new StoredChain(em));
  const distrusted = keepSessions ? undefined : await distrust(em);
  await recordRestore(em, dump, distrusted);
  await beforeCommit();
  return { rows, leftOut, migrated: migrated.map(({ name }) => name), distrusted, chain };
}

/** Locks what is there, so that a service that runs can add nothing, and refuses if anything has a row. */
async function refuseRows(em: EntityManager): Promise<void> {
  const ask: Ask = (sql) => query(em, sql, []);
  const tables = (await schemaTables(ask)).map(({ name }) => name);
  if (tables.length === 0) return;
  const names = tables.map((name) => `user_service.${quoted(name)}`);
  await ask(`lock table ${names.join(', ')} in access exclusive mode`);
  const counts = tables.map(
    (name, index) => `(select count(*)::int from ${names[index]}) as ${quoted(name)}`,
  );
  const [found] = await ask<Record<string, number>>(`select ${counts.join(', ')}`);
  const filled = Object.entries(found ?? {}).filter(([, rows]) => rows > 0);
  if (filled.length === 0) return;
  const list = filled.map(([name, rows]) => `${name} (${rows})`).join(', ');
  throw new BackupRefused(
    `the database has rows, in ${list}: restore into an empty one, while identity does not run; if these are of no worth, drop schema user_service cascade first`,
  );
}

/** So that the log itself says where it goes on from an earlier state. */
async function recordRestore(
  em: EntityManager,
  dump: DatabaseDump,
  distrusted: Distrusted | undefined,
): Promise<void> {
  const createdAt = new Date();
  await new SecurityEventRepository(em).append({
    id: uuidV7({ msecs: createdAt.getTime() }) as Uuid,
    type: 'database_restored',
    severity: 'high',
    description: 'The database was restored from a backup; what was written after it is lost.',
    userId: null,
    sessionId: null,
    device: { id: null, fingerprint: null, name: null, ipAddress: null, userAgent: null },
    metadata: {
      backup_taken_at: dump.takenAt,
      chain_sequence: dump.chain?.sequence ?? null,
      sessions_kept: distrusted === undefined,
      sessions_ended: distrusted?.sessions ?? 0,
      signing_keys_revoked: distrusted?.signingKeys ?? 0,
      trusted_devices_revoked: distrusted?.trustedDevices ?? 0,
    },
    createdAt,
  });
}

/** The driver's own client of the transaction: COPY is no statement that the ORM could run. */
async function clientOf(em: EntityManager, clients: ReadonlySet<PoolClient>): Promise<PoolClient> {
  const [row] = await query<{ pid: number }>(em, 'select pg_backend_pid() as pid', []);
  for (const client of clients) {
    if ((client as PoolClient & { readonly processID?: number }).processID === row?.pid) return client;
  }
  throw new Error('the connection of the transaction is not known');
}
