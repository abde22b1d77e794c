import { createHash } from 'node:crypto';
import type { ChainableCommander, Redis } from 'ioredis';
import { closeRedis, connectServer } from '../../../runtime/redis-connection.ts';
import { redisOptions } from '../../../runtime/redis-options.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';

/** The Redis that a connection leads to. */
export interface ServerFacts {
  /** What keys begin with: another one for each run of a server, and for each time that it is made the master. */
  readonly prefix: string;
  /** Whether nobody can be reading a server that was this one's master or will take its place. */
  readonly isAlone: boolean;
}

/**
 * A connection to the Redis that holds active sessions.
 *
 * Keys begin with what names the server's run (`run_id`) and its line of data (`master_replid`). A server that was started
 * again from an old snapshot, a replica that took over, and a former master that is one again all find none of the keys
 * that are in their data: what was deleted elsewhere can't come back.
 */
export class ActiveSessionsServer implements Disposable {
  readonly #client: Redis;
  readonly #mode: RedisTarget['mode'];
  readonly #budgetMs: number;
  readonly #onClosed: () => void;
  /** Counts the connections: what one has told says nothing about the next. */
  #connection = 0;
  #runId: string | undefined;
  #facts: ServerFacts | undefined;

  /** Connects in the background. @param onClosed told when the connection is lost. */
  constructor(target: RedisTarget, budgetMs: number, onClosed: () => void) {
    this.#mode = target.mode;
    this.#budgetMs = budgetMs;
    this.#onClosed = onClosed;
    this.#client = connectServer(redisOptions(target, 'optix-sessions'));
    // Nothing to do: without a connection everything is asked of the database.
    this.#client.on('error', () => undefined);
    this.#client.on('close', () => {
      this.#connection += 1;
      this.#runId = undefined;
      this.#facts = undefined;
      this.#onClosed();
    });
  }

  /** Undefined while there is no connection, or none to a master. */
  get facts(): ServerFacts | undefined {
    return this.#client.status === 'ready' ? this.#facts : undefined;
  }

  /** @throws Error where the answer does not come within the budget, or is an error. */
  async run<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    return await withinBudget(command(this.#client), this.#budgetMs);
  }

  /**
   * Deletes keys and learns what the server is now, in one go.
   *
   * @param names keys without the prefix; may be none.
   * @returns the facts under which the keys were deleted; undefined where it is not certain that they were.
   */
  async delete(names: readonly string[]): Promise<ServerFacts | undefined> {
    if (this.#client.status !== 'ready') return undefined;
    try {
      const before = this.#facts?.prefix;
      const facts = await this.#delete(names, before);
      // Other keys than those that were deleted may count by now.
      if (facts === undefined || facts.prefix === before) return facts;
      const again = await this.#delete(names, facts.prefix);
      return again?.prefix === facts.prefix ? again : undefined;
    } catch {
      return undefined;
    }
  }

  async #delete(names: readonly string[], prefix: string | undefined): Promise<ServerFacts | undefined> {
    const connection = this.#connection;
    const runId = this.#runId ?? infoField(await this.run((client) => client.info('server')), 'run_id');
    const info = await this.run(async (client) => {
      const commands: ChainableCommander = client.multi().info('replication');
      // As a list: they may be more than a call takes arguments.
      if (names.length > 0 && prefix !== undefined) {
        commands.unlink(names.map((name) => keyOf(prefix, name)));
      }
      const replies = (await commands.exec()) ?? [];
      for (const [error] of replies) if (error !== null) throw error;
      return String(replies[0]?.[1]);
    });
    if (connection !== this.#connection) return undefined;
    this.#runId = runId;
    this.#facts = factsOf(info, runId, this.#mode);
    return this.#facts;
  }

  [Symbol.dispose](): void {
    closeRedis(this.#client);
  }
}

/** A key by its name. */
export function keyOf(prefix: string, name: string): string {
  return `${prefix}:${name}`;
}

/** Undefined unless it is a master. */
function factsOf(info: string, runId: string, mode: RedisTarget['mode']): ServerFacts | undefined {
  if (infoField(info, 'role') !== 'master') return undefined;
  const line = infoField(info, 'master_replid');
  const digest = createHash('sha256').update(`${runId} ${line}`).digest('base64url').slice(0, 16);
  return {
    prefix: `optix-sessions:${digest}`,
    isAlone: mode === 'single' && infoField(info, 'connected_slaves') === '0',
  };
}

function infoField(info: string, field: string): string {
  const value = new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(info)?.[1];
  if (value === undefined) throw new Error(`INFO does not tell ${field}`);
  return value;
}

/**
 * After a stall of this process timers run before the replies that have long arrived are read; so the verdict waits for
 * one more round of the event loop.
 */
function withinBudget<T>(promise: Promise<T>, budgetMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const expire = () => reject(new Error(`no answer within ${budgetMs} ms`));
    const timer = setTimeout(() => setImmediate(expire), budgetMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
