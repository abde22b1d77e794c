import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { withDatabase, withTestClient } from './database-admin.ts';

/** A database that nobody else uses. Disposing it drops it, even with connections still open. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
}

/** Makes a database on the tests' PostgreSQL: with all migrations, or empty where `migrated` is false. */
export async function createTestDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const template = migrated ? inject('templateDatabase') : 'template1';
  await withTestClient(server, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  return {
    url: withDatabase(server, name),
    async [Symbol.asyncDispose]() {
      await withTestClient(server, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}
