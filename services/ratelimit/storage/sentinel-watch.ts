import { isIP } from 'node:net';
import type { Redis } from 'ioredis';
import { closeRedis, connectServer } from '../../../runtime/redis-connection.ts';
import { redisOptions } from '../../../runtime/redis-options.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { withinBudget } from './within-budget.ts';

const ASK_EVERY_MS = 500;
const CONNECT_WITHIN_MS = 1_500;
/** Sentinels hear of a failover from each other within two seconds: until then one may name the old master. */
const SETTLED_MS = 2_500;

/** `host:port` */
type Address = string;

export interface SentinelWatchOptions {
  /** With sentinels. */
  readonly target: RedisTarget;
  /** What CLIENT LIST of a sentinel shows. */
  readonly name: string;
  /** Where the watched connection leads; undefined while it is not there. */
  readonly connectedTo: () => Address | undefined;
  /** The master is elsewhere: the connection has to be made anew. */
  readonly onMoved: () => void;
}

/**
 * Asks the sentinels twice a second which server is the master.
 *
 * A failover that operators ask for, or one that was made while the old master could not be seen, leaves the old master
 * as it is for ten seconds and more: it goes on taking writes, and nothing of what it counts then stays. So a connection
 * that leads there must not wait for its end.
 *
 * One sentinel is asked at a time, the next one when it gives no answer. Its word holds at once where it named another
 * master before; else it may be the one with old news, and holds after 2.5 s.
 */
export class SentinelWatch implements Disposable {
  readonly #options: SentinelWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #sentinel: Redis;
  #tried = 0;
  #openedMs = 0;
  #asking = false;
  #closed = false;
  /** What this sentinel named last. */
  #named: Address | undefined;
  #changedMs = Number.NEGATIVE_INFINITY;
  #differsSinceMs: number | undefined;

  constructor(options: SentinelWatchOptions) {
    this.#options = options;
    this.#sentinel = this.#open();
    this.#timer = setInterval(() => void this.#ask(), ASK_EVERY_MS).unref();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearInterval(this.#timer);
    closeRedis(this.#sentinel);
  }

  #open(): Redis {
    const { target, name } = this.#options;
    this.#openedMs = performance.now();
    const node = target.nodes[this.#tried++ % target.nodes.length];
    const access = { username: undefined, password: target.sentinel?.password, sentinel: undefined };
    const nodes = node === undefined ? [] : [node];
    const client = connectServer(
      redisOptions({ ...target, ...access, mode: 'single', nodes, database: 0 }, name),
    );
    // The next question finds out.
    client.on('error', () => undefined);
    return client;
  }

  async #ask(): Promise<void> {
    const sentinel = this.#sentinel;
    const connects = sentinel.status !== 'ready' && performance.now() - this.#openedMs < CONNECT_WITHIN_MS;
    if (this.#asking || connects) return;
    this.#asking = true;
    try {
      const master = this.#options.target.sentinel?.master ?? '';
      const reply = sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master);
      this.#hear((await withinBudget(reply, ASK_EVERY_MS)) as readonly [string, string] | null);
    } catch {
      if (this.#closed) return;
      this.#named = undefined;
      closeRedis(sentinel);
      this.#sentinel = this.#open();
    } finally {
      this.#asking = false;
    }
  }

  #hear(reply: readonly [host: string, port: string] | null): void {
    const at = this.#options.connectedTo();
    if (reply === null || at === undefined) return;
    const now = performance.now();
    const named = `${reply[0]}:${reply[1]}`;
    const changed = this.#named !== undefined && named !== this.#named;
    this.#named = named;
    if (changed) this.#changedMs = now;
    // A name can't be told from the address that it stood for; but that it is another one can.
    if (isIP(reply[0]) === 0 ? !changed : named === at) {
      this.#differsSinceMs = undefined;
      return;
    }
    this.#differsSinceMs ??= now;
    if (now - this.#changedMs < SETTLED_MS || now - this.#differsSinceMs >= SETTLED_MS) {
      this.#differsSinceMs = undefined;
      this.#options.onMoved();
    }
  }
}
