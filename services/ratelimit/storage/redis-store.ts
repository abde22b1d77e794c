import type { RedisTarget } from '../../../runtime/redis-target.ts';
import type { Limit } from '../domain/limit.ts';
import type { Debt } from '../domain/limit-model.ts';
import type { Ask, LimitState, LimitStore, Taken } from '../domain/limit-store.ts';
import { AskBatch } from './ask-batch.ts';
import { bySlot, eachSlot } from './by-slot.ts';
import { type Call, isApart } from './insistence.ts';
import { tagIn } from './key-slot.ts';
import { LaneProbe } from './lane-probe.ts';
import { nobodyHolds, RedisCalls, scriptCall } from './redis-calls.ts';
import { replyFailure } from './redis-failure.ts';
import { connectNodes, type RedisNodes } from './redis-nodes.ts';
import { DECIDE, limitSpec, REFUND, RENEW, SETTLE } from './scripts.ts';
import { KeyUnusable, NotSettled, StoreUnavailable } from './store-errors.ts';
import { withinBudget } from './within-budget.ts';

/** Redis runs a batch in one go, serving nobody else for up to half a millisecond; more would save little more. */
const MAX_TERMS = 64;

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
  readonly #nodes: RedisNodes;
  /** Connections of their own, so that a probe never waits behind checks. */
  readonly #probeNodes: RedisNodes;
  readonly #calls: RedisCalls;
  readonly #probe: LaneProbe;
  /** Asks that wait for the end of this turn, by slot. */
  readonly #waiting = new Map<number, AskBatch>();

  /** Connects in the background. */
  constructor({ target, budgetMs = 50, onKeyUnusable = () => undefined }: RedisStoreOptions) {
    this.#budgetMs = budgetMs;
    this.#onKeyUnusable = onKeyUnusable;
    this.#nodes = connectNodes(target, 'ratelimit-checks');
    this.#probeNodes = connectNodes(target, 'ratelimit-probes');
    this.#calls = new RedisCalls(this.#nodes, budgetMs);
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
    const slot = this.#nodes.slotOf(ask.terms[0]?.key ?? '');
    const owner = this.#nodes.ownerOf(slot);
    if (!owner?.isReady) return Promise.reject(owner?.away() ?? nobodyHolds());
    return new Promise((resolve, reject) => {
      let batch = this.#waiting.get(slot);
      if (batch !== undefined && batch.keys.length + ask.terms.length > MAX_TERMS) {
        this.#decide(slot, batch);
        batch = undefined;
      }
      if (batch === undefined) {
        batch = new AskBatch(this.#onKeyUnusable);
        // Immediates run once all sockets that had something to read were read.
        if (this.#waiting.size === 0) setImmediate(this.#sendWaiting);
        this.#waiting.set(slot, batch);
      }
      batch.add(ask, resolve, reject);
    });
  }

  async refund(id: string, parts: readonly Taken[], oneOff = false): Promise<readonly number[]> {
    this.#sendWaiting();
    return await eachSlot(parts, this.#slotOf, async (slot, group) => {
      // Of no part: which of them there still are can change between two refunds, by an edit of the rules. Shadows alone
      // are given back by CrossSlotStore, under an id that the enforced parts may still be given back by.
      const shadow = group.every(({ limit }) => limit.shadow) ? '!' : '';
      const marker = `ratelimit:{${tagIn(slot)}}@${id}${shadow}`;
      const values = group.flatMap(({ limit, cost, resetMicros }) => [limitSpec(limit), cost, resetMicros]);
      const keys = [marker, ...group.map(({ key }) => key)];
      const longest = oneOff ? 0 : Math.max(...group.map(({ limit }) => lifetimeMs(limit)));
      return numbers(await this.#calls.run(slot, scriptCall(REFUND, keys, [id, longest + 1_000, ...values])));
    });
  }

  async renew(id: string, parts: readonly Taken[]): Promise<readonly number[]> {
    this.#sendWaiting();
    return await eachSlot(parts, this.#slotOf, async (slot, group) => {
      const values = group.flatMap(({ limit, cost }) => [limitSpec(limit), cost]);
      const keys = group.map(({ key }) => key);
      return numbers(await this.#calls.run(slot, scriptCall(RENEW, keys, [id, ...values])));
    });
  }

  async reset(keys: readonly string[]): Promise<number> {
    this.#sendWaiting();
    const groups = bySlot(keys, (key) => this.#nodes.slotOf(key));
    const counts = await Promise.all(
      groups.map(({ slot, items }) => this.#calls.run(slot, (client) => client.unlink(...items))),
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
    this.#sendWaiting();
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

  readonly #sendWaiting = (): void => {
    // What goes to one node leaves in one write: a tenth less CPU where a turn asks of many slots.
    const streams =
      this.#waiting.size > 1 ? this.#nodes.lanes().map((lane) => this.#nodes.at(lane)?.client.stream) : [];
    for (const stream of streams) stream?.cork();
    for (const [slot, batch] of this.#waiting) this.#decide(slot, batch);
    this.#waiting.clear();
    for (const stream of streams) stream?.uncork();
  };

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
      const texts = (await this.#calls.run(slot, call, budgetMs, items.length > 1)) as readonly string[];
      for (const failure of texts.map(replyFailure)) {
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

  #decide(slot: number, batch: AskBatch, deadlineMs = performance.now() + this.#budgetMs): void {
    const call = scriptCall(DECIDE, batch.keys, batch.values);
    const node = this.#nodes.ownerOf(slot);
    if (!node?.isReady) {
      batch.fail(node?.away() ?? nobodyHolds());
      return;
    }
    withinBudget(call(node.client, false), deadlineMs - performance.now()).then(
      (reply) => batch.settle(reply),
      (error: unknown) => {
        // Of a slot on its way between two nodes some asks can be decided, and those for keys on both sides can not.
        if (batch.size > 1 && isApart(error)) {
          for (const alone of batch.split()) this.#decide(slot, alone, deadlineMs);
          return;
        }
        this.#calls.recover(slot, node, call, error, deadlineMs).then(
          (reply) => batch.settle(reply),
          (failure: StoreUnavailable | KeyUnusable) => batch.fail(failure),
        );
      },
    );
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
