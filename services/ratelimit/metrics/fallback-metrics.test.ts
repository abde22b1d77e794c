import { expect, it } from 'vitest';
import { startRedisCluster } from '../../../testing/redis-cluster.ts';
import { startTestRateLimit } from '../../../testing/services.ts';
import { linesOf } from './testing-scrape.ts';

it('tells of each shard of a cluster by itself', async () => {
  await using cluster = await startRedisCluster();
  await using service = await startTestRateLimit({
    REDIS_MODE: 'cluster',
    REDIS_TIMEOUT_MS: '500',
    REDIS_URL: cluster.masters.map(({ address }) => `redis://${address}`).join(','),
  });
  const told = async (start: string) =>
    linesOf(await (await fetch(`${service.httpUrl}/metrics`)).text(), `optix_ratelimit_fallback${start}`);
  const gauge = (shard: string) => `optix_ratelimit_fallback{shard="${shard}"}`;
  const [first, second, third] = cluster.masters.map(({ address }) => address) as [string, string, string];
  await expect
    .poll(() => told('{'), { timeout: 5_000 })
    .toEqual({ [gauge(first)]: 0, [gauge(second)]: 0, [gauge(third)]: 0 });

  cluster.masters[1]?.server.kill('SIGSTOP');
  await expect
    .poll(() => told('{'), { timeout: 5_000 })
    .toEqual({ [gauge(first)]: 0, [gauge(second)]: 1, [gauge(third)]: 0 });
  expect(await told('_changes_total')).toMatchObject({
    [`optix_ratelimit_fallback_changes_total{shard="${second}",state="away"}`]: 1,
    [`optix_ratelimit_fallback_changes_total{shard="${first}",state="away"}`]: 0,
  });
  cluster.masters[1]?.server.kill('SIGCONT');
}, 20_000);
