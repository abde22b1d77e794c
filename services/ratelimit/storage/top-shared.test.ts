import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RedisTarget, singleRedis } from '../../../runtime/redis-target.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { TopKeys } from '../domain/top-keys.ts';
import { TopLimited } from '../domain/top-limited.ts';
import { inspect, killRedis } from './testing-redis.ts';
import { TopShared } from './top-shared.ts';

let server: RedisServer;
let redis: ReturnType<typeof inspect>;
beforeAll(async () => {
  server = await startRedis();
  redis = inspect(server.url);
});
beforeEach(async () => {
  await redis.flushall();
});
afterAll(async () => {
  redis.disconnect();
  await killRedis(server);
});

/** What one process has of this, disposed of together. */
class Process extends DisposableStack {
  readonly failures: string[] = [];
  readonly keys = this.use(new TopKeys());
  readonly shared: TopShared;
  readonly top: TopLimited;

  constructor(target: RedisTarget = singleRedis(server.url)) {
    super();
    const onFailure = ({ message }: Error) => void this.failures.push(message);
    this.shared = this.use(new TopShared({ target, keys: this.keys, onFailure }));
    this.top = new TopLimited(this.keys, this.shared);
  }

  async denied(): Promise<readonly (readonly [string, number])[]> {
    const { entries } = await this.top.list({ order: 'denied', size: 1_000, endpoint: '' });
    return entries.map(({ identifier, count }) => [identifier, count]);
  }

  async replicas(): Promise<number> {
    return (await this.top.list({ order: 'denied', size: 1, endpoint: '' })).replicas;
  }
}

describe('TopShared', () => {
  it('adds up the keys of all processes, within three seconds and by itself', async () => {
    using one = new Process();
    using two = new Process();
    await expect.poll(() => one.replicas()).toBe(2);
    one.keys.record('a', 'x', true);
    for (const identifier of ['x', 'y', 'y', 'y']) two.keys.record('a', identifier, true);
    const all = [
      ['y', 3],
      ['x', 2],
    ];
    await expect.poll(() => one.denied(), { timeout: 3_000, interval: 50 }).toEqual(all);
    await expect.poll(() => two.denied(), { timeout: 3_000, interval: 50 }).toEqual(all);
  });

  it('counts its own figures once, and as they are now', async () => {
    using one = new Process();
    await expect.poll(() => redis.zcard('ratelimit:{top}')).toBe(1);
    one.keys.record('a', 'x', true);
    await one.shared.publish();
    one.keys.record('a', 'x', true);
    expect(await one.denied()).toEqual([['x', 2]]);
    expect(await one.replicas()).toBe(1);
  });

  it('writes nothing while nothing has changed', async () => {
    using one = new Process();
    await expect.poll(() => redis.zcard('ratelimit:{top}')).toBe(1);
    const writes = async () => /cmdstat_eval:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1];
    const before = await writes();
    await one.shared.publish();
    expect(await writes()).toBe(before);
    one.keys.record('a', 'x', false);
    await one.shared.publish();
    expect(await writes()).not.toBe(before);
  });

  it('keeps figures alive that do not change', async () => {
    using one = new Process();
    using two = new Process();
    two.keys.record('a', 'x', true);
    await expect.poll(() => one.denied(), { timeout: 3_000 }).toEqual([['x', 1]]);
    await sleep(10_500);
    expect(await one.denied()).toEqual([['x', 1]]);
  });

  it('keeps everything in keys of one slot, each with a time to live', async () => {
    using one = new Process();
    await expect.poll(() => redis.zcard('ratelimit:{top}')).toBe(1);
    const names = await redis.keys('*');
    expect(names).toHaveLength(2);
    for (const name of names) {
      expect(name.startsWith('ratelimit:{top}')).toBe(true);
      const left = await redis.pttl(name);
      expect(left).toBeGreaterThan(5_000);
      expect(left).toBeLessThanOrEqual(10_000);
    }
    expect(one.failures).toEqual([]);
  });

  it('forgets processes that have not written for ten seconds', async () => {
    const [seconds] = await redis.time();
    await redis.zadd(
      'ratelimit:{top}',
      (Number(seconds) - 11) * 1_000,
      'gone',
      (Number(seconds) - 8) * 1_000,
      'late',
    );
    using one = new Process();
    await expect.poll(() => redis.zscore('ratelimit:{top}', 'gone')).toBeNull();
    expect(await redis.zcard('ratelimit:{top}')).toBe(2);
    // Its figures have expired by themselves.
    expect(await one.replicas()).toBe(1);
  });

  it('lists the 100 newest processes at most', async () => {
    const [seconds] = await redis.time();
    for (let index = 0; index < 300; index += 1) {
      await redis.zadd('ratelimit:{top}', Number(seconds) * 1_000 - index, `process-${index}`);
    }
    using one = new Process();
    await expect.poll(() => redis.zcard('ratelimit:{top}')).toBe(100);
    expect(await redis.zscore('ratelimit:{top}', 'process-98')).not.toBeNull();
    expect(await redis.zscore('ratelimit:{top}', 'process-99')).toBeNull();
    expect(one.failures).toEqual([]);
  });

  it('passes over what is none of its figures', async () => {
    await redis.zadd('ratelimit:{top}', Date.now(), 'foreign', Date.now(), 'other');
    await redis.set('ratelimit:{top}:foreign', '{"since":"now"}');
    await redis.sadd('ratelimit:{top}:other', 'a set');
    using one = new Process();
    one.keys.record('a', 'x', true);
    await expect.poll(() => redis.zcard('ratelimit:{top}')).toBe(3);
    expect(await one.denied()).toEqual([['x', 1]]);
    expect(await one.replicas()).toBe(1);
  });

  it('tells once where Redis refuses, and goes on with its own', async () => {
    await redis.set('ratelimit:{top}', 'a text');
    using one = new Process();
    one.keys.record('a', 'x', true);
    await expect.poll(() => one.failures.length).toBe(1);
    expect(one.failures[0]).toContain('WRONGTYPE');
    await one.shared.publish();
    expect(await one.denied()).toEqual([['x', 1]]);
    expect(await one.replicas()).toBe(1);
    expect(one.failures).toHaveLength(1);
  });

  it('knows of no others while Redis is away, and of all when it is back', async () => {
    await using away = await startRedis();
    const { port } = away;
    using one = new Process(singleRedis(away.url));
    using two = new Process(singleRedis(away.url));
    two.keys.record('a', 'x', true);
    await expect.poll(() => one.replicas()).toBe(2);
    await killRedis(away);
    one.keys.record('a', 'y', true);
    await expect.poll(() => one.denied()).toEqual([['y', 1]]);
    expect(await one.replicas()).toBe(1);
    await using _back = await startRedis({ port });
    await expect.poll(() => one.replicas(), { timeout: 5_000 }).toBe(2);
    await expect.poll(async () => (await one.denied()).length, { timeout: 5_000 }).toBe(2);
  });

  it('works in a cluster', async () => {
    await using node = await startRedis({
      args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    });
    const admin = inspect(node.url);
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await expect.poll(() => admin.call('CLUSTER', 'INFO'), { timeout: 10_000 }).toContain('cluster_state:ok');
    admin.disconnect();
    const target = { ...singleRedis(node.url), mode: 'cluster' as const };
    using one = new Process(target);
    using two = new Process(target);
    two.keys.record('a', 'x', true);
    await expect.poll(() => one.denied(), { timeout: 5_000 }).toEqual([['x', 1]]);
    expect([...one.failures, ...two.failures]).toEqual([]);
  });

  it('answers within two seconds where Redis hangs', async () => {
    await using hung = await startRedis();
    using one = new Process(singleRedis(hung.url));
    using two = new Process(singleRedis(hung.url));
    await expect.poll(() => one.replicas()).toBe(2);
    hung.kill('SIGSTOP');
    const started = performance.now();
    expect(await one.replicas()).toBe(1);
    expect(performance.now() - started).toBeLessThan(2_000);
    hung.kill('SIGCONT');
    await expect.poll(() => two.replicas(), { timeout: 5_000 }).toBe(2);
  });
});
