import { once } from 'node:events';
import { Cluster, type Redis } from 'ioredis';
import { closeRedis, connectRedis } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';

const TIMEOUT_MS = 3000;

/** Connections to a Redis, one to each master. */
export interface OpenRedis extends Disposable {
  readonly servers: readonly { readonly name: string; readonly server: Redis }[];
}

/**
 * Connects as the services do.
 *
 * @throws Error that says why it can't, without a password
 */
export async function openRedis(target: RedisTarget): Promise<OpenRedis> {
  const client = connectRedis(target, 'optix-doctor');
  let last: unknown;
  client.on('error', (error: unknown) => {
    last = error;
  });
  try {
    await once(client, 'ready', { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(async (error: unknown) => {
      // `once` also ends by an error, of which the client would recover: it goes on trying by itself.
      if (client.status !== 'ready') throw last ?? error;
    });
  } catch (error) {
    closeRedis(client);
    throw new Error(reasonOf(error));
  }
  const servers = client instanceof Cluster ? client.nodes('master') : [client];
  return {
    servers: servers.map((server) => ({ name: `${server.options.host}:${server.options.port}`, server })),
    [Symbol.dispose]: () => closeRedis(client),
  };
}

function reasonOf(error: unknown): string {
  const { name, message } = error as Error;
  if (name === 'AbortError' || name === 'TimeoutError') return 'it does not answer in time';
  return message || 'nothing answers';
}
