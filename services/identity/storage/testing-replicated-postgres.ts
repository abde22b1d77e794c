import { spawnSync } from 'node:child_process';
import { appendFileSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { migrateDatabase } from '../../../stack/migrate-database.ts';
import { freePort } from '../../../stack/ports.ts';
import { postgresAccount } from '../../../stack/postgres-account.ts';
import { type PostgresServer, startPostgres } from '../../../stack/postgres-server.ts';
import { stackDirectory } from '../../../testing/stack-directory.ts';

/** A PostgreSQL of its own with the schema, and copies that follow it by streaming replication. */
export interface ReplicatedPostgres extends AsyncDisposable {
  readonly primary: PostgresServer;
  readonly replicas: readonly PostgresServer[];
  /** Starts a replica that has ended on its data and its port again. */
  restart(replica: number): Promise<void>;
}

const SETTINGS = { wal_level: 'replica', fsync: 'off', max_connections: '60', max_wal_senders: '8' };

/** Copies the stopped cluster's files instead of taking a base backup: pg_basebackup does not come with the binaries. */
export async function startReplicatedPostgres(count: number): Promise<ReplicatedPostgres> {
  await using cleanup = new AsyncDisposableStack();
  const directory = cleanup.use(stackDirectory());
  const dataDir = join(directory.path, 'primary');
  const first = await startPostgres({ dataDir, settings: SETTINGS });
  cleanup.use(first);
  await migrateDatabase(first.url);
  await first.stop();

  const places = await Promise.all(
    Array.from({ length: count }, async (_, i) => ({
      dataDir: join(directory.path, `replica-${i + 1}`),
      port: await freePort(),
      settings: SETTINGS,
    })),
  );
  for (const place of places) copyCluster(dataDir, place.dataDir, new URL(first.url));
  const primary = cleanup.use(await startPostgres({ dataDir, port: first.port, settings: SETTINGS }));
  const replicas: PostgresServer[] = [];
  cleanup.defer(async () => {
    for (const replica of replicas) await replica.stop();
  });
  for (const place of places) replicas.push(await startPostgres(place));
  const owned = cleanup.move();
  return {
    primary,
    replicas,
    async restart(replica) {
      const place = places[replica];
      if (place === undefined) throw new RangeError('no such replica');
      replicas[replica] = await startPostgres(place);
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

function copyCluster(from: string, to: string, primary: URL): void {
  // -a keeps the owner, which as root is another user.
  const { status, stderr } = spawnSync('cp', ['-a', from, to]);
  if (status !== 0) throw new Error(`the cluster can't be copied: ${stderr}`);
  const signal = join(to, 'cluster', 'standby.signal');
  writeFileSync(signal, '');
  const account = postgresAccount();
  if (account) chownSync(signal, account.uid, account.gid);
  const conninfo = `host=${primary.hostname} port=${primary.port} user=${primary.username} password=${primary.password}`;
  appendFileSync(join(to, 'cluster', 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`);
}
