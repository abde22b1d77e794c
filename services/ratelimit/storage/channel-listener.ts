import type { Redis } from 'ioredis';
import { closeRedis, connectRedis } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { withinBudget } from './within-budget.ts';

/** How often the subscribed connection is asked for a sign of life, and how long that may take. */
const PING_EVERY_MS = 500;
const NEXT_NODE_MS = 100;

export interface ChannelListenerOptions {
  readonly target: RedisTarget;
  readonly channel: string;
  /** What CLIENT LIST shows of the connection. */
  readonly name: string;
  /** The nodes of a cluster as they are known now; none where that is not known yet. */
  readonly nodes: () => RedisTarget['nodes'];
  readonly onMessage: (text: string) => void;
  /** Whether messages arrive from now on. Those of the time before were lost. */
  readonly onState: (listening: boolean) => void;
  readonly onError: (error: Error) => void;
}

/**
 * One connection that is subscribed to a channel, for good. A connection that the network lost without a word is found
 * within two pings, that is, one second.
 *
 * In a cluster every node passes on what is published at any other, so one node is enough; where it goes, the next one
 * takes its place. (ioredis's own cluster subscriber does that too, but tells nobody when it misses messages.)
 */
export class ChannelListener implements Disposable {
  readonly #options: ChannelListenerOptions;
  readonly #timer: NodeJS.Timeout;
  #client: Redis;
  #reopening: NodeJS.Timeout | undefined;
  #nodesTried = 0;
  #listening = false;
  #pinging = false;

  constructor(options: ChannelListenerOptions) {
    this.#options = options;
    this.#client = this.#open();
    this.#timer = setInterval(() => void this.#ping(), PING_EVERY_MS).unref();
  }

  /** Closes the connection; tells nothing more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    clearTimeout(this.#reopening);
    this.#client.removeAllListeners();
    this.#client.on('error', () => undefined);
    closeRedis(this.#client);
  }

  #open(): Redis {
    const client = connectRedis(this.#place(), this.#options.name) as Redis;
    client.on('ready', () => void this.#subscribe(client));
    client.on('message', (_channel, text) => this.#options.onMessage(text));
    client.on('error', (error) => this.#options.onError(error));
    client.on('close', () => this.#lost(client));
    return client;
  }

  /** In a cluster, a node of it; each time the next one. */
  #place(): RedisTarget {
    const { target, nodes } = this.#options;
    if (target.mode !== 'cluster') return target;
    const known = nodes();
    const candidates = known.length > 0 ? known : target.nodes;
    const node = candidates[this.#nodesTried++ % candidates.length];
    return { ...target, mode: 'single', nodes: node === undefined ? [] : [node] };
  }

  async #subscribe(client: Redis): Promise<void> {
    try {
      await client.subscribe(this.#options.channel);
      this.#tell(true);
    } catch (error) {
      this.#options.onError(error as Error);
    }
  }

  #lost(client: Redis): void {
    this.#tell(false);
    if (this.#options.target.mode !== 'cluster') return;
    client.removeAllListeners();
    client.on('error', () => undefined);
    closeRedis(client);
    this.#reopening = setTimeout(() => {
      this.#client = this.#open();
    }, NEXT_NODE_MS).unref();
  }

  async #ping(): Promise<void> {
    const client = this.#client;
    if (this.#pinging || client.status !== 'ready') return;
    this.#pinging = true;
    try {
      await withinBudget(client.ping(), PING_EVERY_MS);
      // Refused before, by a server that was still loading, say.
      if (!this.#listening) await this.#subscribe(client);
    } catch {
      client.stream?.destroy();
    } finally {
      this.#pinging = false;
    }
  }

  #tell(listening: boolean): void {
    if (listening === this.#listening) return;
    this.#listening = listening;
    this.#options.onState(listening);
  }
}
