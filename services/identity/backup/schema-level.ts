import { readdirSync } from 'node:fs';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { query } from '../storage/sql.ts';
import { BackupRefused } from './errors.ts';
import { MIGRATIONS } from './schema-tables.ts';

const DIRECTORY = new URL('../../../migrations/', import.meta.url);

/** Names of the migrations that this program has, oldest first. */
export function knownMigrations(): readonly string[] {
  return readdirSync(DIRECTORY)
    .flatMap((file) => /^(Migration\w+)\.[jt]s$/.exec(file)?.[1] ?? [])
    .sort();
}

/**
 * Sees to it that this program can read what these migrations made.
 *
 * @throws BackupRefused where it is too old for that
 */
export function checkLevel(migrations: readonly string[]): void {
  const known = knownMigrations();
  const foreign = migrations.filter((name, index) => known[index] !== name);
  if (foreign.length > 0) {
    throw new BackupRefused(
      `the backup is of another version: this program does not have ${foreign.join(', ')} in that place; use the program that made it, or a newer one`,
    );
  }
}

/** Brings an empty schema to where these migrations leave it, up or down, within the transaction of `em`. */
export async function migrateToLevel(
  orm: MikroORM,
  em: EntityManager,
  migrations: readonly string[],
): Promise<void> {
  const transaction = em.getTransactionContext();
  const last = migrations.at(-1);
  if (last === undefined) throw new TypeError('no migration to go to');
  const executed = await executedMigrations(em);
  if (executed.some((name) => !migrations.includes(name))) {
    await orm.migrator.down({ to: last, transaction });
  } else if (executed.length < migrations.length) {
    await orm.migrator.up({ to: last, transaction });
  }
  const now = await executedMigrations(em);
  if (now.join() !== migrations.join()) throw new Error(`the schema is at ${now.at(-1)} and not at ${last}`);
}

async function executedMigrations(em: EntityManager): Promise<readonly string[]> {
  const [found] = await query<{ there: boolean }>(em, 'select to_regclass(?) is not null as there', [
    `user_service.${MIGRATIONS}`,
  ]);
  if (found?.there !== true) return [];
  const rows = await query<{ name: string }>(
    em,
    `select name from user_service.${MIGRATIONS} order by name`,
    [],
  );
  return rows.map(({ name }) => name);
}
