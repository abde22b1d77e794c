import { Cluster, type Redis, ReplyError } from 'ioredis';
import type { Logger } from '../logger.ts';
import { closeRedis, connectRedis, type RedisClient } from '../redis-connection.ts';
import type { RedisTarget } from '../redis-target.ts';
import { pause } from '../timers.ts';
import type { Metrics } from './metrics.ts';
import { type Sample, tell } from './told-metric.ts';

/** However many scrapers there are, a server is asked no more often. */
const FRESH_MS = 1_000;
const LIMIT_MS = 500;

/** Metrics by the field of INFO (https://redis.io/docs/latest/commands/info/) that they are read from. */
const FIELDS = [
  ['connected_clients', 'connected_clients', 'gauge', 'Connections to the server.'],
  ['memory_used_bytes', 'used_memory', 'gauge', 'Memory that the server uses.'],
  ['memory_max_bytes', 'maxmemory', 'gauge', 'Most memory that it may use; 0: no limit.'],
  ['commands_processed_total', 'total_commands_processed', 'counter', 'Commands that the server ran.'],
  ['keyspace_hits_total', 'keyspace_hits', 'counter', 'Lookups of keys that were there.'],
  ['keyspace_misses_total', 'keyspace_misses', 'counter', 'Lookups of keys that were not.'],
  ['evicted_keys_total', 'evicted_keys', 'counter', 'Keys that were dropped to stay below the limit.'],
] as const;

/** What each server said, by its label. */
type Infos = ReadonlyMap<string, ReadonlyMap<string, number>>;

export interface RedisMetricsOptions {
  readonly metrics: Metrics;
  readonly target: RedisTarget;
  readonly logger: Logger;
}

/**
 * Tells what the servers of Redis say of themselves: of a cluster each master, under its `host:port`, else the one, as
 * `redis`. They are asked at a scrape, by a connection that the first scrape opens. A server that does not answer within
 * half a second is left out and counted as a failure.
 */
export class RedisMetrics implements Disposable {
  readonly #target: RedisTarget;
  readonly #logger: Logger;
  #client: RedisClient | undefined;
  #failures = 0;
  /** Servers whose refusal was logged. */
  readonly #refused = new Set<string>();
  #reading: Promise<Infos> | undefined;
  #readMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor({ metrics, target, logger }: RedisMetricsOptions) {
    this.#target = target;
    this.#logger = logger;
    for (const [name, field, type, help] of FIELDS) {
      const samples = async () => samplesOf(await this.#infos(), field);
      tell(metrics, { name: `optix_redis_${name}`, help, type, samples });
    }
    tell(metrics, {
      name: 'optix_redis_scrape_failures_total',
      help: 'Times that a server of Redis could not be asked for its figures.',
      type: 'counter',
      samples: async () => {
        await this.#infos();
        return [{ labels: {}, value: this.#failures }];
      },
    });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    if (this.#client !== undefined) closeRedis(this.#client);
  }

  #infos(): Promise<Infos> {
    const now = performance.now();
    if (this.#reading === undefined || now - this.#readMs >= FRESH_MS) {
      this.#readMs = now;
      this.#reading = this.#read();
    }
    return this.#reading;
  }

  /** Never rejects. */
  async #read(): Promise<Infos> {
    const infos = new Map<string, ReadonlyMap<string, number>>();
    if (this.#closed) return infos;
    let nodes: readonly (readonly [string, Redis])[] = [];
    try {
      nodes = await this.#nodes();
    } catch {
      // That Redis is away is told by those who need it.
      this.#failures += 1;
    }
    await Promise.all(
      nodes.map(async ([label, node]) => {
        try {
          infos.set(label, numbersOf(await withinLimit(node.info())));
          this.#refused.delete(label);
        } catch (error) {
          this.#failed(label, error);
        }
      }),
    );
    return infos;
  }

  /** @throws Error where there is no connection */
  async #nodes(): Promise<readonly (readonly [label: string, node: Redis])[]> {
    const client = await this.#connected();
    if (!(client instanceof Cluster)) return [['redis', client]];
    return client.nodes('master').map((node) => [`${node.options.host}:${node.options.port}`, node]);
  }

  async #connected(): Promise<RedisClient> {
    if (this.#client === undefined) {
      const client = connectRedis(this.#target, 'optix-metrics');
      client.on('error', () => undefined);
      this.#client = client;
      await withinLimit(new Promise<void>((resolve) => client.once('ready', resolve)));
    }
    if (this.#client.status !== 'ready') throw new Error('there is no connection');
    return this.#client;
  }

  #failed(node: string, error: unknown): void {
    this.#failures += 1;
    if (!(error instanceof ReplyError) || this.#refused.has(node)) return;
    this.#refused.add(node);
    // Only the text: ioredis hangs the failed command on the error.
    this.#logger.warn({ node, reason: (error as Error).message }, 'Redis refuses to tell its figures');
  }
}

function samplesOf(infos: Infos, field: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const [node, numbers] of infos) {
    const value = numbers.get(field);
    if (value !== undefined) samples.push({ labels: { node }, value });
  }
  return samples;
}

function numbersOf(info: string): ReadonlyMap<string, number> {
  return new Map(
    [...info.matchAll(/^(\w+):(\d+)\r?$/gm)].map(([, name = '', value]) => [name, Number(value)]),
  );
}

async function withinLimit<T>(answer: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = pause(LIMIT_MS, done.signal).then(() => {
    throw new Error(`no answer within ${LIMIT_MS} ms`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    late.catch(() => undefined);
    done.abort();
  }
}
