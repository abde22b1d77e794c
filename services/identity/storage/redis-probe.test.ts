import { expect, it, onTestFinished } from 'vitest';
import { type RedisTarget, singleRedis } from '../../../runtime/redis-target.ts';
import { startRedis } from '../../../stack/redis-server.ts';
import { startRedisCluster } from '../../../testing/redis-cluster.ts';
import { startRedisSentinels } from '../../../testing/redis-sentinel.ts';
import { RedisProbe } from './redis-probe.ts';

function probeOf(target: RedisTarget): () => Promise<string> {
  const probe = new RedisProbe(target);
  onTestFinished(() => probe[Symbol.dispose]());
  return () => probe.ping().then(() => 'there', String);
}

it('finds one server, and that it is gone', async () => {
  const server = await startRedis();
  const state = probeOf(singleRedis(server.url));
  await expect.poll(state, { timeout: 2_000 }).toBe('there');
  await server.stop();
  await expect.poll(state, { timeout: 2_000 }).toMatch(/ECONNREFUSED/);
});

it('finds the master that sentinels tell of, and the next one', async () => {
  await using sentinels = await startRedisSentinels();
  const state = probeOf(sentinels.target);
  await expect.poll(state, { timeout: 2_000 }).toBe('there');
  sentinels.master.kill('SIGKILL');
  await expect.poll(state, { timeout: 3_000 }).not.toBe('there');
  await expect.poll(state, { timeout: 15_000 }).toBe('there');
});

it('finds every master of a cluster, and that one is gone', async () => {
  await using cluster = await startRedisCluster();
  const state = probeOf(cluster.target);
  await expect.poll(state, { timeout: 3_000 }).toBe('there');
  cluster.masters[1]?.server.kill('SIGSTOP');
  await expect.poll(state, { timeout: 5_000 }).not.toBe('there');
  cluster.masters[1]?.server.kill('SIGCONT');
  await expect.poll(state, { timeout: 5_000 }).toBe('there');
});
