import { readdir } from 'node:fs/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { withDatabaseErrors } from './database-errors.ts';
import { ormOptions, SCHEMA } from './mikro-orm.config.ts';
import { applyPrivileges } from './privileges.ts';

/** Any number that nothing else in the database locks: the ASCII codes of `optix-id`, as a bigint. */
export const MIGRATION_LOCK = 0x6f_70_74_69_78_2d_69_64n;
/** How long one of several replicas waits for the one that migrates. */
const LOCK_TIMEOUT_MS = 60_000;

/**
 * Brings the schema of `orm`'s database up to date: all pending migrations, in one transaction, or none; and in the same
 * transaction what the roles of deploy/postgres/sql/roles.sql may do, where there are such. Of several replicas that start at
 * once one migrates, and the others wait for it and find nothing to do.
 *
 * Works on up to two connections of its own: the time-outs of the service's are made for requests, not for building an index.
 *
 * @param onMigrating told the name of each migration as it begins
 * @returns the names of the migrations that were run, oldest first.
 * @throws DatabaseUnavailable, also where another replica has been migrating for longer than a minute.
 */
export async function migrate(orm: MikroORM, onMigrating?: (name: string) => void): Promise<string[]> {
  const databaseUrl = orm.config.get('clientUrl');
  if (databaseUrl === undefined) throw new TypeError('the database has no URL');
  const migrating = await MikroORM.init(
    ormOptions({
      databaseUrl,
      poolSize: 1,
      maxOverflow: 1,
      statementTimeoutMs: 0,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      applicationName: 'optix-migrate',
    }),
  );
  try {
    return await withDatabaseErrors(() => migrateLocked(migrating, onMigrating));
  } finally {
    await migrating.close();
  }
}

async function migrateLocked(orm: MikroORM, onMigrating?: (name: string) => void): Promise<string[]> {
  const connection = orm.em.getConnection();
  const { migrator } = orm;
  if (onMigrating !== undefined) migrator.on('migrating', ({ name }) => onMigrating(name));
  return await connection.transactional(async (transaction) => {
    // Before all else: the migrator makes its own table outside of this transaction.
    await connection.execute(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`, [], 'run', transaction);
    const migrations = await migrator.up({ transaction });
    await applyPrivileges((sql) => connection.execute(sql, [], 'all', transaction));
    return migrations.map(({ name }) => name);
  });
}

/**
 * Names of the migrations that the schema lacks, oldest first. Writes nothing, so it can serve a readiness check.
 *
 * @throws DatabaseUnavailable
 */
export async function pendingMigrations(orm: MikroORM): Promise<string[]> {
  const { path } = orm.config.get('migrations');
  if (path === undefined) throw new TypeError('the migrations have no directory');
  const files = await readdir(path);
  const names = files.flatMap((file) => /^(Migration\w+)\.[jt]s$/.exec(file)?.[1] ?? []).sort();
  const executed = await withDatabaseErrors(() => executedMigrations(orm));
  return names.filter((name) => !executed.has(name));
}

async function executedMigrations(orm: MikroORM): Promise<Set<string>> {
  const connection = orm.em.getConnection();
  const table = `${SCHEMA}.${orm.config.get('migrations').tableName}`;
  const [found] = await connection.execute<{ exists: boolean }[]>(
    'select to_regclass(?) is not null as exists',
    [table],
  );
  if (found?.exists !== true) return new Set();
  const rows = await connection.execute<{ name: string }[]>(`select name from ${table}`);
  return new Set(rows.map(({ name }) => name));
}
