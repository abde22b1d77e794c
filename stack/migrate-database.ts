import { MikroORM } from '@mikro-orm/postgresql';
import { migrate } from '../services/identity/storage/migrate.ts';
import { ormOptions } from '../services/identity/storage/mikro-orm.config.ts';

/**
 * Brings the database behind the URL up to date.
 *
 * @param onMigrating told the name of each migration as it begins
 * @returns the names of the migrations that were run, oldest first.
 * @throws DatabaseUnavailable
 */
export async function migrateDatabase(
  databaseUrl: string,
  onMigrating?: (name: string) => void,
): Promise<string[]> {
  const orm = await MikroORM.init(ormOptions({ databaseUrl, poolSize: 1, maxOverflow: 1 }));
  try {
    return await migrate(orm, onMigrating);
  } finally {
    await orm.close();
  }
}
