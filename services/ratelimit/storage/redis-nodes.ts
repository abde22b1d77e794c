import { redisOptions } from '../../../runtime/redis-options.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { ClusterNodes } from './cluster-nodes.ts';
import { RedisNode } from './redis-node.ts';
import { SentinelWatch } from './sentinel-watch.ts';

/** The servers that hold the counts, and which of them holds what. */
export interface RedisNodes extends Disposable {
  /** Keys may share a call where this is the same: in a cluster their slot, else 0. */
  slotOf(key: string): number;
  /** Who holds a slot, as far as is known now. */
  ownerOf(slot: number): RedisNode | undefined;
  /** A server by its lane. */
  at(lane: string): RedisNode | undefined;
  /** All servers that hold something, as known now. Never empty: '' stands for a cluster nothing is known of yet. */
  lanes(): readonly string[];
  /** A slot that a server holds. */
  slotAt(lane: string): number | undefined;
  /** Learns that a slot is at another address now; tells who that is. */
  moved(slot: number, address: string, from: RedisNode): RedisNode;
  /** The server at an address that a redirection names; connects where it is a new one. */
  redirected(address: string, from: RedisNode): RedisNode;
  /** Asks again who holds what, soon. Called for whatever may be due to a change of that. */
  refresh(): void;
}

/** Connects in the background to what a target names. @param name what CLIENT LIST shows. */
export function connectNodes(target: RedisTarget, name: string): RedisNodes {
  return target.mode === 'cluster' ? new ClusterNodes(target, name) : new OneNode(target, name);
}

/** One server holds everything; sentinels may let another take its place, at which the connection follows. */
class OneNode implements RedisNodes {
  readonly #node: RedisNode;
  readonly #watch: SentinelWatch | undefined;

  constructor(target: RedisTarget, name: string) {
    const node = new RedisNode('', redisOptions(target, name));
    this.#node = node;
    if (target.sentinel === undefined) return;
    this.#watch = new SentinelWatch({
      target,
      name,
      connectedTo: () => node.address,
      onMoved: () => node.client.stream?.destroy(),
    });
  }

  slotOf(): number {
    return 0;
  }

  ownerOf(): RedisNode {
    return this.#node;
  }

  at(): RedisNode {
    return this.#node;
  }

  lanes(): readonly string[] {
    return [''];
  }

  slotAt(): number {
    return 0;
  }

  moved(): RedisNode {
    return this.#node;
  }

  redirected(): RedisNode {
    return this.#node;
  }

  refresh(): void {
    // There is nothing to ask for: the connection itself asks the sentinels each time that it connects.
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    this.#node[Symbol.dispose]();
  }
}
