import { redisOptions } from '../../../runtime/redis-options.ts';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { keySlot, SLOTS } from './key-slot.ts';
import { RedisNode } from './redis-node.ts';
import type { RedisNodes } from './redis-nodes.ts';
import { withinBudget } from './within-budget.ts';

/** Who holds what is mostly learnt from redirections and failures; this is for the rest. */
const REFRESH_EVERY_MS = 5_000;
/** However much fails, the cluster is not asked more often. */
const REFRESH_GAP_MS = 100;
const REFRESH_TIMEOUT_MS = 300;
/** A node that holds nothing any more may still have to answer, and one that is to get its first slot holds none yet. */
const LINGER_MS = 10_000;

/** A range of CLUSTER SLOTS: first and last slot, then the master and its replicas. */
type SlotRange = readonly [
  from: number,
  to: number,
  ...(readonly [host: string, port: number, ...unknown[]])[],
];

/**
 * The masters of a Redis Cluster, each with a connection that reconnects for as long as the master holds slots.
 *
 * Not ioredis's Cluster, which tells a command that was never sent from one that may have run only by its own retries:
 * while a connection comes up it fails commands as if they had been lost.
 */
export class ClusterNodes implements RedisNodes {
  readonly #target: RedisTarget;
  readonly #name: string;
  readonly #nodes = new Map<string, RedisNode>();
  /** When each node last held a slot, or was asked for. */
  readonly #neededMs = new Map<RedisNode, number>();
  /** Where the cluster can be met when none of its masters answers: the target's nodes, and all that were ever seen last. */
  #known: ReadonlySet<string>;
  #owners: (RedisNode | undefined)[] = new Array(SLOTS).fill(undefined);
  #lanes: readonly string[] = [''];
  #refreshing = false;
  #refreshWanted = false;
  #closed = false;
  readonly #timer: NodeJS.Timeout;

  constructor(target: RedisTarget, name: string) {
    this.#target = target;
    this.#name = name;
    this.#known = new Set(target.nodes.map(({ host, port }) => `${host}:${port}`));
    for (const address of this.#known) this.#connect(address);
    this.#timer = setInterval(() => this.refresh(), REFRESH_EVERY_MS).unref();
  }

  slotOf(key: string): number {
    return keySlot(key);
  }

  ownerOf(slot: number): RedisNode | undefined {
    return this.#owners[slot];
  }

  at(lane: string): RedisNode | undefined {
    return this.#nodes.get(lane);
  }

  lanes(): readonly string[] {
    return this.#lanes;
  }

  slotAt(lane: string): number | undefined {
    const slot = this.#owners.findIndex((owner) => owner?.lane === lane);
    return slot === -1 ? undefined : slot;
  }

  moved(slot: number, address: string, from: RedisNode): RedisNode {
    const node = this.redirected(address, from);
    this.#owners[slot] = node;
    this.#countLanes();
    this.refresh();
    return node;
  }

  redirected(address: string, from: RedisNode): RedisNode {
    // A node that knows no name for another gives the port only: the host is then the one that was asked.
    const node = this.#connect(/^:\d+$/.test(address) ? from.lane.replace(/:\d+$/, address) : address);
    this.#neededMs.set(node, performance.now());
    return node;
  }

  refresh(): void {
    if (this.#closed) return;
    if (this.#refreshing) {
      this.#refreshWanted = true;
      return;
    }
    this.#refreshing = true;
    void this.#ask().finally(() => {
      setTimeout(() => {
        this.#refreshing = false;
        if (!this.#refreshWanted) return;
        this.#refreshWanted = false;
        this.refresh();
      }, REFRESH_GAP_MS).unref();
    });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const node of this.#nodes.values()) node[Symbol.dispose]();
  }

  #connect(address: string): RedisNode {
    const known = this.#nodes.get(address);
    if (known !== undefined) return known;
    const colon = address.lastIndexOf(':');
    const [host, port] = [address.slice(0, colon), Number(address.slice(colon + 1))];
    const node = new RedisNode(address, { ...redisOptions(this.#target, this.#name), host, port });
    this.#nodes.set(address, node);
    this.#neededMs.set(node, performance.now());
    node.client.on('ready', () => {
      if (this.#lanes[0] === '') this.refresh();
    });
    return node;
  }

  /** Asks one node after the other, in random order lest one with old news is always the first. */
  async #ask(): Promise<void> {
    const ready = [...this.#nodes.values()].filter(({ isReady }) => isReady);
    for (const node of ready.sort(() => Math.random() - 0.5)) {
      try {
        const ranges = await withinBudget(node.client.cluster('SLOTS'), REFRESH_TIMEOUT_MS);
        if (!this.#closed && this.#learn(ranges, node)) return;
      } catch {
        // The next node may know. What keeps this one from answering shows in the calls that are for it.
      }
    }
    if (this.#closed) return;
    for (const address of this.#known) this.#connect(address);
  }

  /** Tells whether there was anything to learn: a node that was thrown out of its cluster knows of no slot. */
  #learn(ranges: readonly SlotRange[], teller: RedisNode): boolean {
    const owners: (RedisNode | undefined)[] = new Array(SLOTS).fill(undefined);
    const known = new Set<string>();
    for (const [from, to, master, ...replicas] of ranges) {
      if (master === undefined) continue;
      const owner = this.#connect(addressOf(master, teller));
      owners.fill(owner, from, to + 1);
      for (const server of [master, ...replicas]) known.add(addressOf(server, teller));
    }
    if (known.size === 0) return false;
    this.#owners = owners;
    this.#known = new Set([...this.#target.nodes.map(({ host, port }) => `${host}:${port}`), ...known]);
    this.#countLanes();
    this.#closeUnneeded(new Set(owners));
    return true;
  }

  #closeUnneeded(holders: ReadonlySet<RedisNode | undefined>): void {
    const now = performance.now();
    for (const [address, node] of this.#nodes) {
      if (holders.has(node)) this.#neededMs.set(node, now);
      else if (now - (this.#neededMs.get(node) ?? 0) > LINGER_MS) {
        this.#nodes.delete(address);
        this.#neededMs.delete(node);
        node[Symbol.dispose]();
      }
    }
  }

  #countLanes(): void {
    const lanes = new Set<string>();
    for (const owner of this.#owners) {
      if (owner !== undefined) lanes.add(owner.lane);
    }
    this.#lanes = [...lanes];
  }
}

function addressOf([host, port]: SlotRange[2], teller: RedisNode): string {
  // Null (Redis 7) and '' stand for the host that was asked, and '?' for one that is to have a name and has none yet.
  return !host || host === '?' ? teller.lane.replace(/\d+$/, `${port}`) : `${host}:${port}`;
}
