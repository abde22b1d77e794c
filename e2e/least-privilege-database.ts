import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrateDatabase } from '../stack/migrate-database.ts';
import { startPostgres } from '../stack/postgres-server.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { stackDirectory } from '../testing/stack-directory.ts';

/** A database as in production: the owner migrates, the service has what it needs and no more. */
export interface LeastPrivilegeDatabase extends AsyncDisposable {
  /** As `optix_identity`. */
  readonly serviceUrl: string;
  /** As `optix_owner`, who may do anything to the tables. */
  readonly ownerUrl: string;
}

/** On a server of its own: roles are the whole server's. */
export async function startLeastPrivilegeDatabase(): Promise<LeastPrivilegeDatabase> {
  await using resources = new AsyncDisposableStack();
  const directory = resources.use(stackDirectory());
  const server = resources.use(
    await startPostgres({ dataDir: join(directory.path, 'postgres'), settings: { fsync: 'off' } }),
  );
  const roles = await readFile(new URL('../deploy/postgres/sql/roles.sql', import.meta.url), 'utf8');
  await withTestClient(server.url, async (client) => {
    await client.query(roles);
    for (const role of ['optix_owner', 'optix_identity']) {
      await client.query(`alter role ${role} login password '${role}'`);
    }
  });
  const urlOf = (role: string) => {
    const url = new URL(server.url);
    url.username = role;
    url.password = role;
    return url.href;
  };
  const ownerUrl = urlOf('optix_owner');
  await migrateDatabase(ownerUrl);
  const owned = resources.move();
  return {
    serviceUrl: urlOf('optix_identity'),
    ownerUrl,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}
