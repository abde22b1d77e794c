import { keySlot } from '../services/ratelimit/storage/key-slot.ts';
import type { ClusterNode, RedisCluster } from '../testing/redis-cluster.ts';

/** One identifier on each node of a cluster of three, as its slots are spread now. */
export async function identifiersOn(
  cluster: RedisCluster,
  prefix: string,
): Promise<readonly [string, string, string]> {
  const [first, second, third] = cluster.masters;
  return [
    await identifierOn(cluster, first, prefix),
    await identifierOn(cluster, second, prefix),
    await identifierOn(cluster, third, prefix),
  ];
}

async function identifierOn(cluster: RedisCluster, node: ClusterNode | undefined, prefix: string) {
  for (let number = 0; ; number += 1) {
    const identifier = `${prefix}:${number}`;
    if ((await cluster.ownerOf(keySlot(`{${identifier}}`))) === node) return identifier;
  }
}
