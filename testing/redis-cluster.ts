import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { RedisTarget } from '../runtime/redis-target.ts';
import { freePort } from '../stack/ports.ts';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';

const SLOTS = 16_384;
const READY_MS = 20_000;

/** A node of a test's cluster, and a connection to do things to it by. */
export interface ClusterNode {
  readonly server: RedisServer;
  readonly admin: Redis;
  /** What the cluster calls it. */
  readonly id: string;
  /** `host:port`, as redirections name it. */
  readonly address: string;
}

/** A real Redis Cluster on loopback. */
export interface RedisCluster extends AsyncDisposable {
  readonly target: RedisTarget;
  /** In order of their slots: of three, the first has 0 to 5460. */
  readonly masters: readonly ClusterNode[];
  /** The replica of each master in turn; none unless asked for. */
  readonly replicas: readonly ClusterNode[];
  /** The node that serves a slot, as the cluster says now. */
  ownerOf(slot: number): Promise<ClusterNode>;
  /** Moves a slot with its keys as redis-cli does; `halfway` runs when it is open on both sides and no key has moved. */
  moveSlot(slot: number, to: ClusterNode, halfway?: () => Promise<void>): Promise<void>;
}

export interface RedisClusterOptions {
  readonly masters?: number;
  /** Default: false. */
  readonly withReplicas?: boolean;
  /** After this long without an answer a node is taken for dead, in ms. Default: 1,000. */
  readonly nodeTimeoutMs?: number;
}

/** Starts a cluster whose slots are spread evenly over its masters. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { masters: count = 3, withReplicas = false, nodeTimeoutMs = 1_000 } = options;
  await using resources = new AsyncDisposableStack();
  const nodes = await Promise.all(
    Array.from({ length: withReplicas ? 2 * count : count }, () => startNode(nodeTimeoutMs, resources)),
  );
  const masters = nodes.slice(0, count).map(({ node }) => node);
  const replicas = nodes.slice(count).map(({ node }) => node);
  await Promise.all(
    masters.map(({ admin }, index) => {
      const [from, to] = [Math.floor((SLOTS * index) / count), Math.floor((SLOTS * (index + 1)) / count) - 1];
      return admin.cluster('ADDSLOTSRANGE', from, to);
    }),
  );
  // Distinct epochs, or the nodes would have to agree on them first.
  await Promise.all(
    nodes.map(({ node }, index) => node.admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)),
  );
  const [first] = masters as [ClusterNode];
  for (const { node, busPort } of nodes) {
    await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', node.server.port, busPort);
  }
  const all = nodes.map(({ node }) => node);
  await until(
    all,
    async (node) => infoOf(await node.admin.cluster('INFO'), 'cluster_known_nodes') === `${all.length}`,
  );
  await Promise.all(
    replicas.map(({ admin }, index) => admin.cluster('REPLICATE', (masters[index] as ClusterNode).id)),
  );
  await until(
    replicas,
    async ({ admin }) => infoOf(await admin.info('replication'), 'master_link_status') === 'up',
  );
  await until(all, async ({ admin }) => {
    const lines = String(await admin.cluster('NODES')).split('\n');
    const slaves = lines.filter((line) => /[ ,]slave /.test(line));
    return infoOf(await admin.cluster('INFO'), 'cluster_state') === 'ok' && slaves.length === replicas.length;
  });

  const ownerOf = async (slot: number) => {
    const ranges = await living(all).admin.cluster('SLOTS');
    const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2]?.[1];
    return all.find(({ server }) => server.port === port) as ClusterNode;
  };
  const owned = resources.move();
  return {
    target: {
      mode: 'cluster',
      nodes: masters.map(({ server }) => ({ host: '127.0.0.1', port: server.port })),
      database: 0,
      username: undefined,
      password: undefined,
      sentinel: undefined,
      tls: undefined,
    },
    masters,
    replicas,
    ownerOf,
    async moveSlot(slot, to, halfway) {
      const from = await ownerOf(slot);
      await to.admin.cluster('SETSLOT', slot, 'IMPORTING', from.id);
      await from.admin.cluster('SETSLOT', slot, 'MIGRATING', to.id);
      await halfway?.();
      for (;;) {
        const keys = (await from.admin.cluster('GETKEYSINSLOT', slot, 1)) as string[];
        if (keys.length === 0) break;
        await from.admin.call('MIGRATE', '127.0.0.1', to.server.port, '', 0, 5_000, 'KEYS', ...keys);
      }
      for (const { admin } of [to, from]) await admin.cluster('SETSLOT', slot, 'NODE', to.id);
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

async function startNode(
  nodeTimeoutMs: number,
  resources: AsyncDisposableStack,
): Promise<{ readonly node: ClusterNode; readonly busPort: number }> {
  const { server, busPort } = await startServer(nodeTimeoutMs);
  resources.defer(async () => {
    server.kill('SIGKILL');
    await server.stop();
  });
  const admin = new Redis(server.url, { protocol: 2, maxRetriesPerRequest: 0 });
  // A node may be killed by its test; what then fails is the command.
  admin.on('error', () => undefined);
  resources.defer(() => admin.disconnect());
  const id = await admin.cluster('MYID');
  return { node: { server, admin, id, address: `127.0.0.1:${server.port}` }, busPort };
}

/** A port that was free may be taken by the time the server gets to it: then it tries another one. */
async function startServer(
  nodeTimeoutMs: number,
  triesLeft = 5,
): Promise<{ readonly server: RedisServer; readonly busPort: number }> {
  const busPort = await freePort();
  const args = [
    ...['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`],
    ...['--cluster-node-timeout', `${nodeTimeoutMs}`, '--repl-diskless-sync-delay', '0'],
  ];
  try {
    return { server: await startRedis({ args }), busPort };
  } catch (error) {
    if (triesLeft === 1 || !(error as Error).message.includes('Address already in use')) throw error;
    return await startServer(nodeTimeoutMs, triesLeft - 1);
  }
}

function living(nodes: readonly ClusterNode[]): ClusterNode {
  return nodes.find(({ admin }) => admin.status === 'ready') as ClusterNode;
}

function infoOf(info: string, field: string): string | undefined {
  return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(info)?.[1];
}

async function until(
  nodes: readonly ClusterNode[],
  isSo: (node: ClusterNode) => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (const node of nodes) {
    while (!(await isSo(node))) {
      if (performance.now() > deadline) throw new Error(`the cluster does not come up: ${node.address}`);
      await sleep(20);
    }
  }
}
