import { setTimeout as sleep } from 'node:timers/promises';
import { type Redis, ReplyError } from 'ioredis';
import type { RedisNode } from './redis-node.ts';
import type { RedisNodes } from './redis-nodes.ts';
import { StoreUnavailable } from './store-errors.ts';
import { withinBudget } from './within-budget.ts';

/** A command, by the connection that it is to go by. `withSource`: Redis does not know the script by its SHA-1. */
export type Call = (client: Redis, withSource: boolean) => Promise<unknown>;

const REFUSAL = /^(?:NOSCRIPT|MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/;
const PAUSE_MS = 2;

/** Whether an error says that the command did not run, so that it may be sent again without counting twice. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof ReplyError && REFUSAL.test((error as Error).message);
}

/** Whether keys of a command may be on both sides of a slot's move: each by itself can be asked for all the same. */
export function isApart(error: unknown): boolean {
  return isRefusal(error) && /^(?:ASK|TRYAGAIN)\b/.test(error.message);
}

/**
 * Sends a command again that was refused, where and as the refusal says, until it ran or the deadline has come.
 *
 * - NOSCRIPT: Redis forgets scripts (restart, failover, SCRIPT FLUSH); EVAL makes this one known again.
 * - MOVED: the slot is another node's. ASK: of a slot on its way the other node has this key already.
 * - TRYAGAIN: of a slot on its way, some of the keys are here and some there. CLUSTERDOWN: some slot has no master,
 *   as in the seconds before a replica becomes one.
 *
 * @param from the node that refused
 * @param deadlineMs by performance.now()
 * @throws whatever the command failed with last; where that was the deadline, it names the last refusal too
 */
export async function insist(
  nodes: RedisNodes,
  slot: number,
  from: RedisNode,
  call: Call,
  refusal: Error,
  deadlineMs: number,
): Promise<unknown> {
  let last = refusal;
  let node = from;
  let asking = false;
  let withSource = false;
  for (;;) {
    const [code, , address = ''] = last.message.split(' ');
    if (code === 'NOSCRIPT') withSource = true;
    else if (code === 'MOVED') {
      const owner = nodes.moved(slot, address, node);
      // Behind a proxy, or in a cluster that the settings call a single server: it would be moved for ever.
      if (owner === node) await sleep(PAUSE_MS);
      [node, asking] = [owner, false];
    } else if (code === 'ASK') [node, asking] = [nodes.redirected(address, node), true];
    else {
      nodes.refresh();
      await sleep(PAUSE_MS);
      [node, asking] = [nodes.ownerOf(slot) ?? node, false];
    }
    while (!node.isReady && performance.now() < deadlineMs) await sleep(PAUSE_MS);
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) throw last;
    if (!node.isReady) throw node.away();
    // Holds for the very next command on the connection. If it fails, so does that.
    if (asking) node.client.asking().catch(() => undefined);
    try {
      return await withinBudget(call(node.client, withSource), leftMs);
    } catch (error) {
      // What was left of the budget can be next to nothing: the refusal before is what took it.
      if (error instanceof StoreUnavailable)
        throw new StoreUnavailable(`${error.message}, after ${last.message}`);
      if (!isRefusal(error)) throw error;
      last = error;
    }
  }
}
