import type { RedisTarget } from '../../../runtime/redis-target.ts';
import type { Limit } from '../domain/limit.ts';
import type { Debt } from '../domain/limit-model.ts';
import type { Ask, LimitState, LimitStore, Taken } from '../domain/limit-store.ts';
import { AskBatches } from './ask-batches.ts';
import { bySlot, eachSlot } from './by-slot.ts';
import { type Call, isApart } from './insistence.ts';
import { tagIn } from './key-slot.ts';
import { LaneProbe } from './lane-probe.ts';
import { NO_OBSERVER, type RedisCallName, type RedisCallObserver } from './redis-call-observer.ts';
import { RedisCalls, scriptCall } from './redis-calls.ts';
import { replyFailure } from './redis-failure.ts';
import { connectNodes, type RedisNodes } from './redis-nodes.ts';
import { limitSpec, REFUND, RENEW, SETTLE } from './scripts.ts';
import { KeyUnusable, NotSettled, StoreUnavailable } from './store-errors.ts';

/** A bulk of debts takes longer than a check. */
const LEAST_SETTLE_BUDGET_MS = 1_000;

/** What is consumed of a key, to be added to what Redis has. */
export interface Settlement {
  readonly key: string;
  readonly limit: Limit;
  readonly debt: Debt;
}

export interface RedisStoreOptions {
  readonly target: RedisTarget;
  /** Most time that a call may wait for Redis, in ms. Default: 50. */
  readonly budgetMs?: number;
  /**
   * Called where only a key at which nothing is decided can't be used: that of a shadow limit, or one to be settled.
   * All other faults are rejections.
   */
  readonly onKeyUnusable?: (error: KeyUnusable) => void;
  readonly observer?: RedisCallObserver;
}

/**
 * Counts in Redis, by the scripts in lua/: in one server, in the master that sentinels tell of, or in the nodes of a
 * cluster.
 *
 * Asks of one turn of the event loop share one EVALSHA (in a cluster those of a slot), and so one round trip: a third
 * of the CPU of a call each, on both sides. All terms of an ask must lie in one slot.
 *
 * Every call fails with {@link StoreUnavailable} at once where there is no connection, and after the time budget where
 * Redis hangs; with {@link KeyUnusable} where only its keys are at fault. One that ran out of time may still be
 * counted, when Redis wakes up and reads its socket: the caller must not ask again for the same operation. What Redis
 * refused without running it is sent again within the budget: see {@link insist}.
 *
 * A lane is what fails by itself: a node of a cluster, else all there is. Calls for one lane go down one connection in
 * the order in which they were made.
 */
export class RedisStore implements LimitStore, AsyncDisposable {
  readonly source = 'REDIS';
  readonly #budgetMs: number;
  readonly #onKeyUnusable: (error: KeyUnusable) => void;
  readonly #observer: RedisCallObserver;
  readonly #nodes: RedisNodes;
  /** Connections of their own, so that a probe never waits behind checks. */
  readonly #probeNodes: RedisNodes;
  readonly #calls: RedisCalls;
  readonly #probe: LaneProbe;
  readonly #batches: AskBatches;

  /** Connects in the background. */
  constructor(options: RedisStoreOptions) {
    const { target, budgetMs = 50, onKeyUnusable = () => undefined, observer = NO_OBSERVER } = options;
    this.#budgetMs = budgetMs;
    this.#onKeyUnusable = onKeyUnusable;
    this.#observer = observer;
    this.#nodes = connectNodes(target, 'ratelimit-checks');
    this.#probeNodes = connectNodes(target, 'ratelimit-probes');
    this.#calls = new RedisCalls(this.#nodes, budgetMs, observer);
    this.#batches = new AskBatches({
      ...{ nodes: this.#nodes, calls: this.#calls, budgetMs, observer },
      onShadowUnusable: onKeyUnusable,
    });
    this.#probe = new LaneProbe(this.#nodes, this.#probeNodes, budgetMs);
  }

  /** The lane of a key: '' unless in a cluster, and there while nobody is known to hold the key. */
  laneOf(key: string): string {
    return this.#nodes.ownerOf(this.#nodes.slotOf(key))?.lane ?? '';
  }

  /** All lanes as known now: [''] unless in a cluster, and there while nothing is known of it. */
  lanes(): readonly string[] {
    return this.#nodes.lanes();
  }

  decide(ask: Ask): Promise<readonly LimitState[]> {
    return this.#batches.decide(ask);
  }

  async refund(id: string, parts: readonly Taken[], oneOff = false): Promise<readonly number[]> {
    this.#batches.sendWaiting();
    return await eachSlot(parts, this.#slotOf, async (slot, group) => {
      // Of no part: which of them there still are can change between two refunds, by an edit of the rules. Shadows alone
      // are given back by CrossSlotStore, under an id that the enforced parts may still be given back by.
      const shadow = group.every(({ limit }) => limit.shadow) ? '!' : '';
      const marker = `ratelimit:{${tagIn(slot)}}@${id}${shadow}`;
      const values = group.flatMap(({ limit, cost, resetMicros }) => [limitSpec(limit), cost, resetMicros]);
      const keys = [marker, ...group.map(({ key }) => key)];
      const longest = oneOff ? 0 : Math.max(...group.map(({ limit }) => lifetimeMs(limit)));
      const call = scriptCall(REFUND, keys, [id, longest + 1_000, ...values]);
      return await this.#numbers('refund', slot, keys, call);
    });
  }

  async renew(id: string, parts: readonly Taken[]): Promise<readonly number[]> {
    this.#batches.sendWaiting();
    return await eachSlot(parts, this.#slotOf, async (slot, group) => {
      const values = group.flatMap(({ limit, cost }) => [limitSpec(limit), cost]);
      const keys = group.map(({ key }) => key);
      return await this.#numbers('renew', slot, keys, scriptCall(RENEW, keys, [id, ...values]));
    });
  }

  async reset(keys: readonly string[]): Promise<number> {
    this.#batches.sendWaiting();
    const groups = bySlot(keys, (key) => this.#nodes.slotOf(key));
    const counts = await Promise.all(
      groups.map(({ slot, items }) => {
        const call: Call = (client) => client.unlink(...items);
        return this.#calls.run({ name: 'reset', slot, keys: items.length, call });
      }),
    );
    return numbers(counts).reduce((sum, count) => sum + count, 0);
  }

  /**
   * Adds what was consumed while Redis could not be asked.
   *
   * @param inOrder what is asked after this call is decided after it. Takes Redis longer.
   * @throws NotSettled
   */
  async settle(entries: readonly Settlement[], inOrder = true): Promise<void> {
    this.#batches.sendWaiting();
    const left = new Map<Settlement, StoreUnavailable>();
    const groups = bySlot(entries, this.#slotOf);
    await Promise.all(groups.map(({ slot, items }) => this.#settle(slot, items, inOrder, left)));
    for (const { message } of left.values()) throw new NotSettled(message, [...left.keys()]);
  }

  /** Round-trip time of a PING, in ms. @throws StoreUnavailable where the lane does not answer within the budget. */
  ping(lane: string): Promise<number> {
    return this.#probe.ping(lane);
  }

  /** Finds out whether a lane can count: see {@link LaneProbe.prepare}. @throws StoreUnavailable */
  prepare(lane: string): Promise<void> {
    return this.#probe.prepare(lane);
  }

  /** Closes all connections at once; calls under way fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#nodes[Symbol.dispose]();
    this.#probeNodes[Symbol.dispose]();
  }

  readonly #slotOf = ({ key }: { readonly key: string }): number => this.#nodes.slotOf(key);

  /** The numbers that a script replies. */
  async #numbers(
    name: RedisCallName,
    slot: number,
    keys: readonly string[],
    call: Call,
  ): Promise<readonly number[]> {
    const reply = await this.#calls.run({ name, slot, keys: keys.length, call });
    try {
      return numbers(reply);
    } catch (error) {
      this.#observer.failed(error as StoreUnavailable | KeyUnusable);
      throw error;
    }
  }

  /** Puts into `left` what could not be settled, all of it or none. Never rejects. */
  async #settle(
    slot: number,
    items: readonly Settlement[],
    inOrder: boolean,
    left: Map<Settlement, StoreUnavailable>,
  ): Promise<void> {
    const keys = items.map(({ key }) => key);
    const values = items.flatMap(({ limit, debt }) => [limitSpec(limit), debt.length, ...debt]);
    // As one array: a log's times may be more than a call takes arguments.
    const rest = [keys.length, ...keys, ...values];
    // By its source: were it sent again after a NOSCRIPT, what was asked meanwhile would be decided before it.
    const call: Call = (client, withSource) =>
      inOrder || withSource
        ? client.call('eval', [SETTLE.source, ...rest])
        : client.call('evalsha', [SETTLE.sha, ...rest]);
    const budgetMs = Math.max(this.#budgetMs, LEAST_SETTLE_BUDGET_MS);
    try {
      const divisible = items.length > 1;
      const asked = { name: 'settle', slot, keys: items.length, call, budgetMs, divisible } as const;
      const texts = (await this.#calls.run(asked)) as readonly string[];
      for (const failure of texts.map(replyFailure)) {
        this.#observer.failed(failure);
        // A Redis that takes no writes: what is owed stays owed.
        if (failure instanceof StoreUnavailable) throw failure;
        this.#onKeyUnusable(failure);
      }
    } catch (error) {
      if (isApart(error)) {
        await Promise.all(items.map((item) => this.#settle(slot, [item], inOrder, left)));
      } else if (error instanceof KeyUnusable) this.#onKeyUnusable(error);
      else for (const item of items) left.set(item, error as StoreUnavailable);
    }
  }
}

/** The numbers of a reply. @throws what stands in it for a key that is at fault */
function numbers(reply: unknown): readonly number[] {
  if (!Array.isArray(reply)) throw new KeyUnusable('the script gave a reply of another shape');
  for (const value of reply) {
    if (typeof value !== 'number') throw replyFailure(String(value));
  }
  return reply;
}

/** The longest that anything taken of a limit can count, in ms. */
function lifetimeMs({ limit, windowMicros, burst }: Limit): number {
  return Math.ceil((Math.max(1, burst / limit) * windowMicros) / 1_000);
}
