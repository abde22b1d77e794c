import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ReplyError } from 'ioredis';
import { closeRedis, connectRedis, type RedisClient } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';

const SCRIPT = readFileSync(new URL('./replicas.lua', import.meta.url), 'utf8');
const KEY = 'ratelimit:replicas';
const SIGN_EVERY_MS = 1_000;
const DEAD_AFTER_MS = 5_000;
/** Counts that are looked back at: as many as there are within the time after which a process is dead. */
const LOOK_BACK = DEAD_AFTER_MS / SIGN_EVERY_MS + 1;
/** How long the farewell may hold up the end of the process. */
const FAREWELL_MS = 50;

export interface ReplicasOptions {
  /** Where the processes meet. Not connected to with a fixed number. */
  readonly target: RedisTarget;
  /** The number of processes, set by hand: at least 1. Default: counted. */
  readonly fixed?: number;
  /** A Redis that can be reached refuses the count: say, for want of rights. Once, until it works. */
  readonly onRefused?: (reason: string) => void;
}

/**
 * How many processes share the limits: each gives a sign of life in Redis every second, and is dead after five seconds
 * without. While Redis is away the number stays what it was when Redis was last reached; 1 before it ever was.
 *
 * It is the greatest of the last six counts, so that a Redis which came back empty, and went again before the others
 * gave their sign, does not make each of them think that it is alone. A process that ends thus counts for up to 11
 * seconds more, or 6 where it could say so.
 */
export class Replicas implements AsyncDisposable {
  readonly #id = randomUUID();
  readonly #client: RedisClient | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  /** The last counts, oldest first. */
  #counts: number[];
  #signing = false;
  #refused = false;
  readonly #onRefused: (reason: string) => void;

  constructor({ target, fixed, onRefused = () => undefined }: ReplicasOptions) {
    this.#onRefused = onRefused;
    this.#counts = [fixed ?? 1];
    if (fixed !== undefined) return;
    const client = connectRedis(target, 'ratelimit-replicas');
    // Whether Redis is there is for the breaker to find out and to tell; here the number just stays.
    client.on('error', () => undefined);
    client.on('ready', () => void this.#sign());
    this.#client = client;
    this.#timer = setInterval(() => void this.#sign(), SIGN_EVERY_MS).unref();
  }

  get count(): number {
    return Math.max(...this.#counts);
  }

  /** Says farewell, so that the others need not wait for the signs to stay away. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    const client = this.#client;
    if (client === undefined) return;
    if (client.status === 'ready') {
      const late = new Promise((resolve) => setTimeout(resolve, FAREWELL_MS).unref());
      // Unheard, it is dead in five seconds all the same.
      await Promise.race([client.zrem(KEY, this.#id).catch(() => undefined), late]);
    }
    closeRedis(client);
  }

  async #sign(): Promise<void> {
    const client = this.#client;
    if (client === undefined || client.status !== 'ready' || this.#signing) return;
    this.#signing = true;
    try {
      const count = Number(await client.eval(SCRIPT, 1, KEY, this.#id, DEAD_AFTER_MS));
      this.#counts = [...this.#counts.slice(1 - LOOK_BACK), count];
      this.#refused = false;
    } catch (error) {
      // The number stays. That Redis is away is the breaker's to tell.
      if (!this.#refused && error instanceof ReplyError) {
        this.#refused = true;
        this.#onRefused((error as Error).message);
      }
    } finally {
      this.#signing = false;
    }
  }
}
