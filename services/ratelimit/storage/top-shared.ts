import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { closeRedis, connectRedis, type RedisClient } from '../../../runtime/redis-connection.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import type { TopFigures, TopKeys } from '../domain/top-keys.ts';
import type { TopPeers } from '../domain/top-limited.ts';
import { readFigures, writeFigures } from './top-format.ts';

const PUBLISH = readFileSync(new URL('./top-publish.lua', import.meta.url), 'utf8');
/** The braces put all of it in one slot of a cluster. No limit's key begins so: those have an endpoint before `:{`. */
const INDEX = 'ratelimit:{top}';
const PUBLISH_EVERY_MS = 2_000;
const LIVES_MS = 10_000;
/** Figures that have not changed are written again, before they would be gone. */
const REFRESH_MS = 5_000;
/** Processes whose figures are read: what there is more of is left out. */
const MAX_INSTANCES = 100;
/** Read with one command: some 500 KB. */
const CHUNK = 25;

export interface TopSharedOptions {
  readonly target: RedisTarget;
  /** What this process tells the others. */
  readonly keys: TopKeys;
  /** Told where a Redis that is there refuses; of a row of failures only the first. */
  readonly onFailure?: (error: Error) => void;
}

/**
 * Shares the figures of the most frequent keys between all processes on one Redis: each writes its own every two
 * seconds if they changed, and reads those of the others when somebody asks. Figures of a process that is gone are gone
 * ten seconds later. While Redis is away a process knows of no others.
 */
export class TopShared implements TopPeers, Disposable {
  readonly #id = randomUUID();
  readonly #client: RedisClient;
  readonly #keys: TopKeys;
  readonly #onFailure: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #publishing = false;
  #publishedRecord = -1;
  #publishedMs = Number.NEGATIVE_INFINITY;
  #failed = false;
  #reading: Promise<readonly TopFigures[]> | undefined;

  constructor({ target, keys, onFailure }: TopSharedOptions) {
    this.#keys = keys;
    this.#onFailure = onFailure ?? (() => undefined);
    this.#client = connectRedis(target, 'ratelimit-top');
    // Whether Redis is there is for the breaker to find out and to tell; without a listener it would end the process.
    this.#client.on('error', () => undefined);
    this.#client.on('ready', () => {
      // It may have come back empty.
      this.#publishedRecord = -1;
      void this.publish();
    });
    this.#timer = setInterval(() => void this.publish(), PUBLISH_EVERY_MS).unref();
  }

  /** Writes the figures if they changed or are about to expire. The timer calls it. Never rejects. */
  async publish(): Promise<void> {
    const { recorded } = this.#keys;
    const age = performance.now() - this.#publishedMs;
    if (this.#client.status !== 'ready' || this.#publishing) return;
    if (recorded === this.#publishedRecord && age < REFRESH_MS) return;
    this.#publishing = true;
    try {
      const text = writeFigures(this.#keys.figures());
      await this.#client.eval(
        PUBLISH,
        2,
        INDEX,
        this.#keyOf(this.#id),
        this.#id,
        text,
        LIVES_MS,
        MAX_INSTANCES,
      );
      this.#publishedRecord = recorded;
      this.#publishedMs = performance.now();
      this.#failed = false;
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#publishing = false;
    }
  }

  /** Calls at one time share one reading. */
  async figures(): Promise<readonly TopFigures[]> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return await this.#reading;
  }

  /** Stops publishing; what is published goes by itself. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    closeRedis(this.#client);
  }

  async #read(): Promise<readonly TopFigures[]> {
    if (this.#client.status !== 'ready') return [];
    try {
      const ids = await this.#client.zrevrange(INDEX, 0, MAX_INSTANCES - 1);
      const keys = ids.filter((id) => id !== this.#id).map((id) => this.#keyOf(id));
      const all: TopFigures[] = [];
      for (let from = 0; from < keys.length; from += CHUNK) {
        for (const text of await this.#client.mget(keys.slice(from, from + CHUNK))) {
          const figures = text === null ? undefined : readFigures(text);
          if (figures !== undefined) all.push(figures);
        }
      }
      return all;
    } catch (error) {
      this.#fail(error);
      return [];
    }
  }

  #keyOf(id: string): string {
    return `${INDEX}:${id}`;
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    // Only the text: ioredis hangs the failed command with its arguments on the error.
    this.#onFailure(new Error(error instanceof Error ? error.message : String(error)));
  }
}
