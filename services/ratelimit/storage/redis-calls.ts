import { type Call, insist, isApart, isRefusal } from './insistence.ts';
import { redisFailure } from './redis-failure.ts';
import type { RedisNode } from './redis-node.ts';
import type { RedisNodes } from './redis-nodes.ts';
import type { Script } from './scripts.ts';
import { StoreUnavailable } from './store-errors.ts';
import { withinBudget } from './within-budget.ts';

/** Sends commands to whoever holds a slot, each within a time budget. */
export class RedisCalls {
  readonly #nodes: RedisNodes;
  readonly #budgetMs: number;

  /** @param budgetMs most time for a command, with all that it takes to send it again where it was refused. */
  constructor(nodes: RedisNodes, budgetMs: number) {
    this.#nodes = nodes;
    this.#budgetMs = budgetMs;
  }

  /**
   * Sends a command before this returns, or fails.
   *
   * @param divisible where {@link isApart}, the refusal is thrown as it is, for the caller to ask for each key alone
   * @throws StoreUnavailable, KeyUnusable
   */
  async run(slot: number, call: Call, budgetMs = this.#budgetMs, divisible = false): Promise<unknown> {
    const node = this.#nodes.ownerOf(slot);
    if (!node?.isReady) throw node?.away() ?? nobodyHolds();
    const deadlineMs = performance.now() + budgetMs;
    try {
      return await withinBudget(call(node.client, false), budgetMs);
    } catch (error) {
      if (divisible && isApart(error)) throw error;
      return await this.recover(slot, node, call, error, deadlineMs);
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
