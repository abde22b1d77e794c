import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { RoomChannel } from './room-channel.ts';
import { partitionable } from './testing-partition.ts';
import { inspect, killRedis } from './testing-redis.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await killRedis(server);
});

/** One replica's channel, and what it was told. */
function replica(url: string) {
  const heard: string[] = [];
  const states: boolean[] = [];
  const refused: string[] = [];
  const channel = new RoomChannel({
    target: singleRedis(url),
    onRoom: (keys) => heard.push(...keys),
    onState: (listening) => states.push(listening),
    onRefused: (reason) => refused.push(reason),
  });
  onTestFinished(() => channel[Symbol.dispose]());
  return { channel, heard, states, refused };
}

async function listening(url: string) {
  const one = replica(url);
  await listens(one);
  return one;
}

function listens({ states }: { readonly states: readonly boolean[] }) {
  return expect.poll(() => states.at(-1), { timeout: 3_000, interval: 1 }).toBe(true);
}

const keysOf = (count: number) => Array.from({ length: count }, (_, index) => `ratelimit:x:{user:${index}}`);

describe('RoomChannel', () => {
  it('tells this process at once, and every other one within milliseconds, once each', async () => {
    const [teller, other, third] = [
      await listening(server.url),
      await listening(server.url),
      await listening(server.url),
    ];
    const waits: number[] = [];
    for (let time = 0; time < 20; time += 1) {
      const told = performance.now();
      teller.channel.tell([`key-${time}`]);
      expect(teller.heard.at(-1)).toBe(`key-${time}`);
      await expect.poll(() => other.heard.at(-1), { interval: 1 }).toBe(`key-${time}`);
      waits.push(performance.now() - told);
    }
    expect(waits.sort((a, b) => a - b)[10]).toBeLessThan(25);
    await expect.poll(() => third.heard.length).toBe(20);
    expect(other.heard).toHaveLength(20);
    expect(teller.heard).toHaveLength(20);
  });

  it('tells of more keys than a message holds', async () => {
    const [teller, other] = [await listening(server.url), await listening(server.url)];
    teller.channel.tell(keysOf(1_234));
    await expect.poll(() => other.heard.length, { interval: 5 }).toBe(1_234);
    expect(new Set(other.heard)).toEqual(new Set(keysOf(1_234)));
  });

  it('passes over what is none of its messages', async () => {
    const [teller, other] = [await listening(server.url), await listening(server.url)];
    await using admin = inspect(server.url);
    for (const garbage of ['', '{', '{"by":"x","keys":[1]}', '[]'])
      await admin.publish('ratelimit:room', garbage);
    teller.channel.tell(['after']);
    await expect.poll(() => other.heard).toEqual(['after']);
    expect(other.states).toEqual([true]);
  });

  it('says when it can’t hear: at once where its connection ends', async () => {
    const one = await listening(server.url);
    await using admin = inspect(server.url);
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await expect.poll(() => one.states, { timeout: 3_000, interval: 1 }).toEqual([true, false, true]);
    await listens(one);
    const teller = await listening(server.url);
    teller.channel.tell(['again']);
    await expect.poll(() => one.heard).toEqual(['again']);
  });

  it('says within a second that it can’t hear where the connection was lost without a word', async () => {
    await using partition = await partitionable(server.port);
    const one = await listening(partition.url);
    partition.freeze();
    const lost = performance.now();
    await expect.poll(() => one.states.at(-1), { timeout: 3_000, interval: 1 }).toBe(false);
    // Two intervals of half a second, and what a busy machine adds.
    expect(performance.now() - lost).toBeLessThan(1_500);
    partition.thaw();
    await listens(one);
  });

  it('has news wait while it can’t publish, and be out when it can', async () => {
    const other = await listening(server.url);
    await using partition = await partitionable(server.port);
    const teller = await listening(partition.url);
    partition.freeze();
    teller.channel.tell(['one']);
    teller.channel.tell(['two', 'one']);
    expect(teller.heard).toEqual(['one', 'two', 'one']);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(other.heard).toEqual([]);
    partition.thaw();
    await expect.poll(() => new Set(other.heard), { timeout: 3_000 }).toEqual(new Set(['one', 'two']));
  });

  it('makes of too much news one about all keys, as if nothing had been heard', async () => {
    const other = await listening(server.url);
    await using partition = await partitionable(server.port);
    const teller = await listening(partition.url);
    partition.freeze();
    teller.channel.tell(keysOf(10_001));
    partition.thaw();
    await expect.poll(() => other.states, { timeout: 3_000 }).toEqual([true, false, true]);
    expect(other.heard).toEqual([]);
  });

  it('says once that a Redis refuses the channel, and works once that is mended', async () => {
    const own = await startRedis();
    onTestFinished(() => killRedis(own));
    await using admin = inspect(own.url);
    await admin.acl('SETUSER', 'default', 'resetchannels', '&other');
    const one = replica(own.url);
    one.channel.tell(['key']);
    await expect.poll(() => one.refused, { timeout: 2_000 }).toHaveLength(1);
    expect(one.refused[0]).toMatch(/^NOPERM/);
    expect(one.states).toEqual([]);
    await admin.acl('SETUSER', 'default', 'allchannels');
    await listens(one);
    expect(one.refused).toHaveLength(1);
  });
});
