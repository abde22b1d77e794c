import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { closeOrm } from './close-orm.ts';
import { type DatabaseSettings, ormOptions } from './mikro-orm.config.ts';
import type { Replica } from './read-router.ts';

/** Read replicas with a pool each. Disposing them closes the pools. */
export interface ReadReplicas extends AsyncDisposable {
  readonly replicas: readonly Replica[];
}

/** How long the end of the process may wait for connections to close. */
const CLOSE_TIMEOUT_MS = 3000;

/**
 * Makes the pools of read replicas: of half the primary's size each, with its time-outs. Opens no connection: a replica
 * that is away does not keep the service from starting.
 *
 * @param onPoolCreated given each pool when it is made, with the first query, and the place of its URL, from 0
 */
export async function openReadReplicas(
  urls: readonly string[],
  settings: Omit<DatabaseSettings, 'databaseUrl' | 'onPoolCreated'>,
  onPoolCreated?: (pool: Pool, place: number) => void,
): Promise<ReadReplicas> {
  const opened = await Promise.all(
    urls.map(async (databaseUrl, place) => {
      const poolSize = Math.ceil((settings.poolSize ?? 20) / 2);
      const maxOverflow = Math.ceil((settings.maxOverflow ?? 10) / 2);
      const applicationName = 'optix-identity-reads';
      const orm = await MikroORM.init(
        ormOptions({
          ...settings,
          ...{ databaseUrl, poolSize, maxOverflow, applicationName },
          onPoolCreated: (pool) => onPoolCreated?.(pool, place),
        }),
      );
      return { name: new URL(databaseUrl).host, em: orm.em, orm };
    }),
  );
  return {
    replicas: opened.map(({ name, em }) => ({ name, em })),
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(opened.map(({ orm }) => closeOrm(orm, CLOSE_TIMEOUT_MS)));
    },
  };
}
