import { MikroORM } from '@mikro-orm/postgresql';
import { withDatabaseErrors } from '../services/identity/storage/database-errors.ts';
import { pendingMigrations } from '../services/identity/storage/migrate.ts';
import { ormOptions } from '../services/identity/storage/mikro-orm.config.ts';

/** What a migration of a database would do. */
export interface MigrationPlan {
  /** As the server tells it, such as `18.0`. */
  readonly serverVersion: string;
  /** The same as `server_version_num` has it, such as 180000. */
  readonly serverNumber: number;
  /** Names, oldest first. */
  readonly pending: readonly string[];
}

/**
 * Looks at the database behind the URL. Changes nothing.
 *
 * @throws DatabaseUnavailable
 */
export async function readMigrationPlan(databaseUrl: string): Promise<MigrationPlan> {
  const orm = await MikroORM.init(ormOptions({ databaseUrl, poolSize: 1, maxOverflow: 0 }));
  try {
    const [server] = await withDatabaseErrors(() =>
      orm.em
        .getConnection()
        .execute<{ version: string; number: number }[]>(
          `select current_setting('server_version') as version, current_setting('server_version_num')::int as number`,
        ),
    );
    if (server === undefined) throw new TypeError('the server did not tell its version');
    const pending = await pendingMigrations(orm);
    return { serverVersion: server.version, serverNumber: server.number, pending };
  } finally {
    await orm.close();
  }
}
