import type { Redis } from 'ioredis';
import { closeRedis, connectServer } from '../../../runtime/redis-connection.ts';
import type { redisOptions } from '../../../runtime/redis-options.ts';
import { StoreUnavailable } from './store-errors.ts';

/** A connection to one server, and why it is not there when it is not. */
export class RedisNode implements Disposable {
  /** `host:port` in a cluster, else ''. */
  readonly lane: string;
  readonly client: Redis;
  #lastError = 'not connected yet';

  /** Connects in the background, and for good. */
  constructor(lane: string, options: ReturnType<typeof redisOptions>) {
    this.lane = lane;
    this.client = connectServer(options);
    this.client.on('error', (error) => {
      this.#lastError = error.message;
    });
    // What to say should it go away again without an error.
    this.client.on('ready', () => {
      this.#lastError = 'connection lost';
    });
  }

  get isReady(): boolean {
    return this.client.status === 'ready';
  }

  /** `host:port` that the connection leads to, the host as a number; undefined while it is not ready. */
  get address(): string | undefined {
    const { remoteAddress, remotePort } = this.client.stream ?? {};
    return this.isReady && remoteAddress !== undefined ? `${remoteAddress}:${remotePort}` : undefined;
  }

  /** For traces: where it is, and the number of its database. Behind sentinels the host is a number. */
  get server(): { readonly host: string; readonly port: number; readonly database: number } {
    const { host = '', port = 0, db: database = 0, sentinels } = this.client.options;
    const { remoteAddress = '', remotePort = 0 } = this.client.stream ?? {};
    return sentinels ? { host: remoteAddress, port: remotePort, database } : { host, port, database };
  }

  /** What a call fails with while it is not ready. */
  away(): StoreUnavailable {
    return new StoreUnavailable(this.#lastError);
  }

  /** Closes at once; calls under way fail. */
  [Symbol.dispose](): void {
    this.#lastError = 'closed';
    closeRedis(this.client);
  }
}
