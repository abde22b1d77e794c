import { MikroORM } from '@mikro-orm/postgresql';
import { createTestDatabase } from '../../../testing/database.ts';
import { withTestClient } from '../../../testing/database-admin.ts';
import { type DatabaseSettings, ormOptions } from './mikro-orm.config.ts';

/** A database for one test file, with MikroORM on it and a way to look at its rows without MikroORM. */
export interface TestOrm extends AsyncDisposable {
  readonly url: string;
  readonly orm: MikroORM;
  /** Runs SQL on a connection of its own, with `$1` placeholders. */
  rows(sql: string, params?: unknown[]): Promise<Record<string, unknown>[]>;
}

export async function openTestOrm(
  options: Partial<DatabaseSettings> & { readonly migrated?: boolean } = {},
): Promise<TestOrm> {
  const { migrated = true, ...settings } = options;
  const database = await createTestDatabase({ migrated });
  const { url } = database;
  const orm = await MikroORM.init(ormOptions({ databaseUrl: url, ...settings }));
  return {
    url,
    orm,
    rows: (sql, params) => withTestClient(url, async (client) => (await client.query(sql, params)).rows),
    async [Symbol.asyncDispose]() {
      await orm.close();
      await database[Symbol.asyncDispose]();
    },
  };
}
