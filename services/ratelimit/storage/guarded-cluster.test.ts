import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type RedisCluster, startRedisCluster } from '../../../testing/redis-cluster.ts';
import { RoomChannel } from './room-channel.ts';
import { guardClosed } from './testing-guard.ts';
import { askFor, termOf } from './testing-terms.ts';

const DAY_MICROS = 86_400_000_000;

let cluster: RedisCluster;
beforeEach(async () => {
  cluster = await startRedisCluster({ withReplicas: true, nodeTimeoutMs: 500 });
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

describe('GuardedStore on a cluster', () => {
  it('falls back for the keys of the shard that is away, and settles with the replica that takes its place', async () => {
    const { store, redis, ask, changes } = await guardClosed(cluster.target);
    const term = (user: number) =>
      termOf('FAIL_LOCAL', `ratelimit:tested:{user:${user}}`, { limit: 5, windowMicros: DAY_MICROS });
    const terms = Array.from({ length: 60 }, (_, user) => term(user));
    const dead = cluster.masters[0];
    const lane = dead?.address ?? '';
    const [own, others] = [
      terms.filter(({ key }) => redis.laneOf(key) === lane),
      terms.filter(({ key }) => redis.laneOf(key) !== lane),
    ];
    expect(own.length).toBeGreaterThan(5);
    for (const each of terms) expect(await ask(each)).toMatchObject({ source: 'REDIS' });
    // What was counted before has reached the replica.
    await dead?.admin.wait(1, 1_000);

    dead?.server.kill('SIGKILL');
    await expect
      .poll(() => changes.at(-1), { timeout: 1_000, interval: 1 })
      .toMatchObject({ lane, state: 'OPEN' });
    for (const each of own) expect(await ask(each)).toMatchObject({ source: 'FALLBACK_LOCAL' });
    for (const each of others) expect(await ask(each)).toMatchObject({ source: 'REDIS' });
    expect(store.state).toBe('OPEN');

    await expect.poll(() => store.state, { timeout: 15_000, interval: 20 }).toBe('CLOSED');
    expect(redis.lanes()).not.toContain(lane);
    for (const each of own) {
      // One before the outage, one in it, one now.
      expect(await ask(each)).toMatchObject({ source: 'REDIS', states: [{ remaining: 2 }] });
    }
  }, 30_000);

  it('counts each check once while the slot of its key moves to another shard', async () => {
    const { redis, store, ask } = await guardClosed(cluster.target);
    const term = termOf('FAIL_OPEN', 'ratelimit:tested:{moving}', { limit: 1_000, windowMicros: DAY_MICROS });
    const lane = redis.laneOf(term.key);
    const from = cluster.masters.find(({ address }) => address === lane);
    const to = cluster.masters.find(({ address }) => address !== lane);
    if (from === undefined || to === undefined) throw new Error('the cluster has no two masters');
    const slot = Number(await from.admin.cluster('KEYSLOT', term.key));
    let counted = 0;
    let over = false;
    const asking = (async () => {
      while (!over) {
        if ((await store.decide(askFor([term]))).source === 'REDIS') counted += 1;
        await sleep(1);
      }
    })();
    await sleep(100);
    await cluster.moveSlot(slot, to);
    await sleep(300);
    over = true;
    await asking;
    expect(redis.laneOf(term.key)).toBe(to.address);
    expect((await ask(term)).states[0]?.remaining).toBe(1_000 - counted - 1);
  }, 20_000);
});

describe('RoomChannel on a cluster', () => {
  it('reaches every replica by whatever node, also after one has died', async () => {
    const replicas = Array.from({ length: 4 }, () => {
      const heard: string[] = [];
      const states: boolean[] = [];
      const channel = new RoomChannel({
        target: cluster.target,
        onRoom: (keys) => heard.push(...keys),
        onState: (listening) => states.push(listening),
      });
      onTestFinished(() => channel[Symbol.dispose]());
      return { channel, heard, states };
    });
    const allListen = () =>
      expect
        .poll(() => replicas.map(({ states }) => states.at(-1)), { timeout: 5_000 })
        .toEqual(new Array(4).fill(true));
    const allHear = (key: string) =>
      expect
        .poll(() => replicas.map(({ heard }) => heard.at(-1)), { timeout: 5_000 })
        .toEqual(new Array(4).fill(key));
    await allListen();
    for (const [index, { channel }] of replicas.entries()) {
      channel.tell([`before-${index}`]);
      await allHear(`before-${index}`);
    }
    cluster.masters[1]?.server.kill('SIGKILL');
    await sleep(200);
    await allListen();
    for (const [index, { channel }] of replicas.entries()) {
      channel.tell([`after-${index}`]);
      await allHear(`after-${index}`);
    }
  }, 30_000);
});
