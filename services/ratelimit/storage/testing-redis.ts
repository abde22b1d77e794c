import { Redis } from 'ioredis';
import type { RedisServer } from '../../../stack/redis-server.ts';

/** A plain connection to look into a server with. */
export function inspect(url: string): Redis & AsyncDisposable {
  const client = new Redis(url, { protocol: 2 });
  return Object.assign(client, {
    [Symbol.asyncDispose]: async () => {
      client.disconnect();
    },
  });
}

/** Ends a server without its doing, also one that is stopped by a signal. */
export async function killRedis(server: RedisServer): Promise<void> {
  server.kill('SIGKILL');
  await server.exited;
  await server.stop();
}
