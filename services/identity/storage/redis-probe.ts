import { Redis } from 'ioredis';

/** Asks Redis for a sign of life on a connection of its own. Reconnects by itself. */
export class RedisProbe implements Disposable {
  readonly #client: Redis;
  #lastError = new Error('not connected');

  /** @param url `redis://` or `rediss://`. Connects in the background. */
  constructor(url: string) {
    this.#client = new Redis(url, {
      connectionName: 'optix-probe',
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 1000,
      socketTimeout: 1000,
      retryStrategy: () => 200,
    });
    this.#client.on('error', (error: Error) => {
      this.#lastError = error;
    });
  }

  /** @throws Error that says for operators what is wrong, without the URL. */
  async ping(): Promise<void> {
    if (this.#client.status !== 'ready') throw this.#lastError;
    await this.#client.ping();
  }

  [Symbol.dispose](): void {
    this.#client.disconnect();
    this.#client.stream?.destroy();
  }
}
