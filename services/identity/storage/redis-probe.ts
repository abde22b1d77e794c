import { Redis } from 'ioredis';
import { closeRedis, connectRedis, type RedisClient } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';

/** Asks Redis for a sign of life on a connection of its own. Reconnects by itself. */
export class RedisProbe implements Disposable {
  readonly #client: RedisClient;
  #lastError = new Error('not connected');

  /** Connects in the background. */
  constructor(target: RedisTarget) {
    this.#client = connectRedis(target, 'optix-probe');
    this.#client.on('error', (error: Error) => {
      this.#lastError = error;
    });
  }

  /**
   * Succeeds where the server answers; of a cluster, where every master does.
   *
   * @throws Error that says for operators what is wrong, without the URL.
   */
  async ping(): Promise<void> {
    const client = this.#client;
    if (client.status !== 'ready') throw this.#lastError;
    if (client instanceof Redis) await client.ping();
    else await Promise.all(client.nodes('master').map((node) => node.ping()));
  }

  [Symbol.dispose](): void {
    closeRedis(this.#client);
  }
}
