import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReplyError } from 'ioredis';
import { closeRedis, connectRedis, type RedisClient } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { ChannelListener } from './channel-listener.ts';
import { MAX_MESSAGE_KEYS, readRoomMessage, writeRoomMessage } from './room-message.ts';

const CHANNEL = 'ratelimit:room';
const RETRY_MS = 100;
/** Keys that may wait to be told of while Redis is away; more of them become one message about all keys. */
const MAX_PENDING = 10_000;

export interface RoomChannelOptions {
  readonly target: RedisTarget;
  /** These keys may have room: whatever is remembered of them holds no more. */
  readonly onRoom: (keys: readonly string[]) => void;
  /**
   * Whether this process hears the others from now on; it does not until told so. What was told before is lost, so
   * nothing that was remembered then may be used. Also told false and at once true, for news about all keys.
   */
  readonly onState: (listening: boolean) => void;
  /** A Redis that can be reached refuses the channel: say, for want of rights. Once, until it works. */
  readonly onRefused?: (reason: string) => void;
}

/**
 * Tells all replicas that keys may have room again before the time that a denial gave: by Redis pub/sub.
 *
 * A replica hears it some milliseconds after the telling one could publish it. Where it can't hear, it is told so: at
 * once if the connection ends, within a second if that is lost without a word. Where the telling one can't publish, it
 * tries ten times a second until it can. Only if it ends before that are the news lost; denials that are remembered
 * elsewhere then hold until the time they gave.
 */
export class RoomChannel implements Disposable {
  readonly #id = randomUUID();
  readonly #options: RoomChannelOptions;
  readonly #publisher: RedisClient;
  readonly #listener: ChannelListener;
  readonly #pending = new Set<string>();
  #allPending = false;
  #publishing = false;
  #refused = false;
  #closed = false;

  constructor(options: RoomChannelOptions) {
    this.#options = options;
    const publisher = connectRedis(options.target, 'ratelimit-room-news');
    // A failed command tells.
    publisher.on('error', () => undefined);
    this.#publisher = publisher;
    this.#listener = new ChannelListener({
      target: options.target,
      channel: CHANNEL,
      name: 'ratelimit-room',
      nodes: () => nodesOf(publisher),
      onMessage: (text) => this.#hear(text),
      onState: (listening) => options.onState(listening),
      onError: (error) => this.#noteRefusal(error),
    });
  }

  /** Calls `onRoom` at once, here, and the others' as soon as may be. */
  tell(keys: readonly string[]): void {
    this.#options.onRoom(keys);
    for (const key of keys) this.#pending.add(key);
    if (this.#pending.size > MAX_PENDING) {
      this.#pending.clear();
      this.#allPending = true;
    }
    void this.#publish();
  }

  /** Closes the connections. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#listener[Symbol.dispose]();
    closeRedis(this.#publisher);
  }

  #hear(text: string): void {
    const message = readRoomMessage(text);
    if (message === undefined || message.by === this.#id) return;
    if (message.keys !== undefined) {
      this.#options.onRoom(message.keys);
      return;
    }
    this.#options.onState(false);
    this.#options.onState(true);
  }

  async #publish(): Promise<void> {
    if (this.#publishing) return;
    this.#publishing = true;
    while (!this.#closed && (this.#allPending || this.#pending.size > 0)) {
      const keys = this.#allPending ? undefined : [...this.#pending.keys().take(MAX_MESSAGE_KEYS)];
      // Before it is sent: what is told again meanwhile has to go out again.
      this.#allPending = false;
      for (const key of keys ?? []) this.#pending.delete(key);
      try {
        await this.#publisher.publish(CHANNEL, writeRoomMessage({ by: this.#id, keys }));
        this.#refused = false;
      } catch (error) {
        if (keys === undefined) this.#allPending = true;
        else for (const key of keys) this.#pending.add(key);
        this.#noteRefusal(error as Error);
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
    this.#publishing = false;
  }

  #noteRefusal(error: Error): void {
    if (this.#refused || !(error instanceof ReplyError)) return;
    this.#refused = true;
    this.#options.onRefused?.(error.message);
  }
}

/** The nodes of a cluster that the client knows now. */
function nodesOf(client: RedisClient): RedisTarget['nodes'] {
  if (!client.isCluster) return [];
  const nodes = 'nodes' in client ? client.nodes('all') : [];
  return nodes.flatMap(({ options: { host, port } }) =>
    host === undefined || port === undefined ? [] : [{ host, port }],
  );
}
