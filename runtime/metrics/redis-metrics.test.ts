import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RedisServer, startRedis } from '../../stack/redis-server.ts';
import { collectingLogger } from '../../testing/collecting-logger.ts';
import { startRedisCluster } from '../../testing/redis-cluster.ts';
import { type RedisTarget, singleRedis } from '../redis-target.ts';
import { exposition } from './exposition.ts';
import { Metrics } from './metrics.ts';
import { RedisMetrics } from './redis-metrics.ts';

const GAUGES = ['connected_clients', 'memory_used_bytes', 'memory_max_bytes'];
const COUNTERS = ['commands_processed', 'keyspace_hits', 'keyspace_misses', 'evicted_keys'];
const NAMES = [...GAUGES, ...COUNTERS.map((name) => `${name}_total`)];

let server: RedisServer;
let admin: Redis;
beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url, { protocol: 2 });
  admin.on('error', () => undefined);
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

function redisMetrics(target: RedisTarget) {
  const { logger, entries } = collectingLogger();
  const metrics = new Metrics();
  const redis = new RedisMetrics({ metrics, target, logger });
  onTestFinished(() => redis[Symbol.dispose]());
  /** Values by name and label. */
  const scrape = async () => {
    const text = await exposition(metrics.registry, 'prometheus');
    return Object.fromEntries(
      [...text.matchAll(/^optix_redis_(\w+)(?:\{node="(.*)"\})? (\d+)$/gm)].map(([, name, node, value]) => [
        node === undefined ? name : `${name} ${node}`,
        Number(value),
      ]),
    );
  };
  return { scrape, entries };
}

const failuresIn = async (scrape: () => Promise<Record<string, number>>) =>
  (await scrape())['scrape_failures_total'];

/** Commands of this kind that the server ran so far. */
async function callsOf(command: string): Promise<number> {
  const stats = await admin.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('what Redis says of itself', () => {
  it('is told from the first scrape on', async () => {
    await admin.config('SET', 'maxmemory', '123456789');
    const { scrape } = redisMetrics(singleRedis(server.url));
    const values = await scrape();
    expect(Object.keys(values).sort()).toEqual(
      [...NAMES.map((name) => `${name} redis`), 'scrape_failures_total'].sort(),
    );
    expect(values).toMatchObject({ 'memory_max_bytes redis': 123_456_789, scrape_failures_total: 0 });
    expect(values['connected_clients redis']).toBeGreaterThanOrEqual(2);
    expect(values['memory_used_bytes redis']).toBeGreaterThan(100_000);
  });

  it('is asked at most once a second, however many scrape', async () => {
    await admin.set('k', 'v');
    const { scrape } = redisMetrics(singleRedis(server.url));
    const before = await callsOf('info');
    const [first, ...others] = await Promise.all(Array.from({ length: 20 }, scrape));
    for (const other of others) expect(other).toEqual(first);
    // Two more are this count's own, and what ioredis asks each new connection.
    expect((await callsOf('info')) - before).toBe(3);
    for (let times = 0; times < 3; times += 1) await admin.get('k');
    await admin.get('not there');
    const hits = first?.['keyspace_hits_total redis'] ?? 0;
    const misses = first?.['keyspace_misses_total redis'] ?? 0;
    await expect
      .poll(scrape, { timeout: 5_000 })
      .toMatchObject({ 'keyspace_hits_total redis': hits + 3, 'keyspace_misses_total redis': misses + 1 });
  });

  it('is left out where the ACL forbids to ask, which is counted, and logged once', async () => {
    await admin.call('ACL', 'SETUSER', 'blind', 'reset', 'on', '>s3cret-word', '+@all', '-info');
    const { scrape, entries } = redisMetrics(
      singleRedis(`redis://blind:s3cret-word@127.0.0.1:${server.port}`),
    );
    expect(await scrape()).toEqual({ scrape_failures_total: 1 });
    await expect.poll(() => failuresIn(scrape), { timeout: 5_000 }).toBeGreaterThan(1);
    expect(entries.map(({ msg }) => msg)).toEqual(['Redis refuses to tell its figures']);
    expect(JSON.stringify(entries)).not.toContain('s3cret');
    await admin.call('ACL', 'SETUSER', 'blind', '+info');
    await expect
      .poll(async () => Object.keys(await scrape()), { timeout: 5_000 })
      .toHaveLength(NAMES.length + 1);
  });

  it('is left out after half a second where Redis hangs, and there again once it answers', async () => {
    const own = await startRedis();
    onTestFinished(async () => {
      own.kill('SIGCONT');
      await own.stop();
    });
    const { scrape, entries } = redisMetrics(singleRedis(own.url));
    expect(Object.keys(await scrape())).toHaveLength(NAMES.length + 1);
    own.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const started = performance.now();
    expect(await scrape()).toEqual({ scrape_failures_total: 1 });
    expect(performance.now() - started).toBeLessThan(900);
    own.kill('SIGCONT');
    await expect
      .poll(async () => Object.keys(await scrape()), { timeout: 5_000 })
      .toHaveLength(NAMES.length + 1);
    expect(entries).toEqual([]);
  });

  it('is left out where there is no Redis at all, also from the start', async () => {
    const { scrape, entries } = redisMetrics(singleRedis('redis://127.0.0.1:1'));
    expect(await scrape()).toEqual({ scrape_failures_total: 1 });
    expect(entries).toEqual([]);
  });

  it('is told of each master of a cluster, by its address', async () => {
    await using cluster = await startRedisCluster();
    const { scrape } = redisMetrics(cluster.target);
    const values = await scrape();
    for (const { address } of cluster.masters) {
      for (const name of NAMES) expect(values).toHaveProperty([`${name} ${address}`]);
    }
    expect(Object.keys(values)).toHaveLength(3 * NAMES.length + 1);
    cluster.masters[1]?.server.kill('SIGSTOP');
    onTestFinished(() => void cluster.masters[1]?.server.kill('SIGCONT'));
    await expect.poll(() => failuresIn(scrape), { timeout: 5_000 }).toBeGreaterThan(0);
    expect(await scrape()).toHaveProperty([`memory_used_bytes ${cluster.masters[0]?.address}`]);
    cluster.masters[1]?.server.kill('SIGCONT');
  }, 20_000);
});
