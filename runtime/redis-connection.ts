import { Cluster, Redis } from 'ioredis';
import { clusterOptions, redisOptions } from './redis-options.ts';
import type { RedisTarget } from './redis-target.ts';

/** What commands are sent by. {@link Cluster} finds the node for each by its first key. */
export type RedisClient = Redis | Cluster;

const CONNECT_AGAIN_MS = 100;

const closed = new WeakSet<RedisClient>();

/**
 * Connects in the background and for good: it reconnects until {@link closeRedis}. A command fails at once without a
 * connection, and is never sent twice where it may have run.
 *
 * @param name what CLIENT LIST shows.
 */
export function connectRedis(target: RedisTarget, name: string): RedisClient {
  return target.mode === 'cluster'
    ? new Cluster([...target.nodes], clusterOptions(target, name))
    : connectServer(redisOptions(target, name));
}

/** As {@link connectRedis}, to one server or to the master that sentinels tell of. */
export function connectServer(options: ReturnType<typeof redisOptions>): Redis {
  const client = new Redis(options);
  // ioredis gives up for good where it is not the socket that fails but what makes the socket.
  client.on('end', () => {
    setTimeout(() => {
      if (!closed.has(client)) client.connect().catch(() => undefined);
    }, CONNECT_AGAIN_MS).unref();
  });
  return client;
}

/** Closes for good and at once, also where the other side no longer reacts. */
export function closeRedis(client: RedisClient): void {
  closed.add(client);
  const connections = client instanceof Redis ? [client] : client.nodes();
  client.disconnect();
  // disconnect() only ends the sockets, and a hung server would keep them, and this process, for longer.
  for (const { stream } of connections) stream?.destroy();
}
