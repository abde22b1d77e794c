import { type Call, insist, isApart, isRefusal } from './insistence.ts';
import type { RedisCallName, RedisCallObserver } from './redis-call-observer.ts';
import { redisFailure } from './redis-failure.ts';
import type { RedisNode } from './redis-node.ts';
import type { RedisNodes } from './redis-nodes.ts';
import { endingSpan, startScriptSpan } from './redis-span.ts';
import type { Script } from './scripts.ts';
import { KeyUnusable, StoreUnavailable } from './store-errors.ts';
import { withinBudget } from './within-budget.ts';

/** A command about keys of one slot. */
export interface SlotCall {
  readonly name: RedisCallName;
  readonly slot: number;
  /** How many keys it names. */
  readonly keys: number;
  readonly call: Call;
  /** Default: that of all calls. */
  readonly budgetMs?: number;
  /** Where {@link isApart}, the refusal is thrown as it is, for the caller to ask for each key alone. Default: false. */
  readonly divisible?: boolean;
}

/** Sends commands to whoever holds a slot, each within a time budget. */
export class RedisCalls {
  readonly #nodes: RedisNodes;
  readonly #budgetMs: number;
  readonly #observer: RedisCallObserver;

  /** @param budgetMs most time for a command, with all that it takes to send it again where it was refused. */
  constructor(nodes: RedisNodes, budgetMs: number, observer: RedisCallObserver) {
    this.#nodes = nodes;
    this.#budgetMs = budgetMs;
    this.#observer = observer;
  }

  /** Sends a command before this returns, or fails. @throws StoreUnavailable, KeyUnusable */
  async run(asked: SlotCall): Promise<unknown> {
    const startedMs = performance.now();
    const { name, slot, keys } = asked;
    const node = this.#nodes.ownerOf(slot);
    try {
      if (!node?.isReady) throw node?.away() ?? nobodyHolds();
      const span = name === 'refund' || name === 'renew' ? startScriptSpan(name, keys, node) : undefined;
      const answer = this.#send(node, asked, startedMs);
      const reply = await (span === undefined ? answer : endingSpan(span, answer));
      this.#observer.answered(name, (performance.now() - startedMs) / 1_000);
      return reply;
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof KeyUnusable) this.#observer.failed(error);
      throw error;
    }
  }

  /**
   * Goes on after a command failed at a node: sends it again where it did not run.
   *
   * @param deadlineMs by performance.now()
   * @throws StoreUnavailable, KeyUnusable
   */
  async recover(
    slot: number,
    node: RedisNode,
    call: Call,
    error: unknown,
    deadlineMs: number,
  ): Promise<unknown> {
    try {
      if (isRefusal(error)) return await insist(this.#nodes, slot, node, call, error, deadlineMs);
      throw error;
    } catch (last) {
      const failure = redisFailure(last);
      // In a cluster another node may be the owner by now.
      if (failure instanceof StoreUnavailable) this.#nodes.refresh();
      throw failure;
    }
  }

  async #send(node: RedisNode, asked: SlotCall, startedMs: number): Promise<unknown> {
    const { slot, call, budgetMs = this.#budgetMs, divisible = false } = asked;
    try {
      return await withinBudget(call(node.client, false), budgetMs);
    } catch (error) {
      if (divisible && isApart(error)) throw error;
      return await this.recover(slot, node, call, error, startedMs + budgetMs);
    }
  }
}

/** A script as a command. */
export function scriptCall(
  { sha, source }: Script,
  keys: readonly string[],
  values: readonly (string | number)[],
): Call {
  return (client, withSource) =>
    withSource
      ? client.eval(source, keys.length, ...keys, ...values)
      : client.evalsha(sha, keys.length, ...keys, ...values);
}

/** What fails for a key whose owner is not known. */
export function nobodyHolds(): StoreUnavailable {
  return new StoreUnavailable('no node of the cluster is known to hold the key');
}
