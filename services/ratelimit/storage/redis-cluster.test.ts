import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { closeRedis, connectRedis } from '../../../runtime/redis-connection.ts';
import { type ClusterNode, type RedisCluster, startRedisCluster } from '../../../testing/redis-cluster.ts';
import { keySlot } from './key-slot.ts';
import { RedisStore } from './redis-store.ts';
import { KeyUnusable, StoreUnavailable } from './store-errors.ts';
import { LEAST_RIGHTS } from './testing-acl.ts';
import { connectedStore, take, untilWell } from './testing-redis.ts';
import { askFor, termOf } from './testing-terms.ts';

/** How often a node has answered with an error of this kind. */
async function errorsOf(node: ClusterNode, code: string): Promise<number> {
  const text = await node.admin.info('errorstats');
  return Number(new RegExp(`errorstat_${code}:count=(\\d+)`).exec(text)?.[1] ?? 0);
}

function user(number: number): string {
  return `ratelimit:api:{user:${number}}`;
}

describe('RedisStore on a cluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  it('places keys as Redis does', async () => {
    const [{ admin }] = cluster.masters as [ClusterNode];
    const keys = [
      '',
      'plain',
      user(1),
      'ratelimit:a:{ip:2001:db8::1}~b!',
      '{}',
      '{a',
      'ä{ö€𝄞}x',
      'é',
      'a{b}c{d}',
    ];
    for (const key of keys) expect([key, keySlot(key)]).toEqual([key, await admin.cluster('KEYSLOT', key)]);
  });

  it('spreads keys over all nodes, a lane each, and answers each ask of a turn by its own node', async () => {
    await using store = await connectedStore(cluster.target);
    const addresses = cluster.masters.map(({ address }) => address);
    expect([...store.lanes()].sort()).toEqual([...addresses].sort());
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) => take(store, user(index % 100), { limit: 10 })),
    );
    expect(answers.map(({ remaining }) => remaining)).toEqual(
      Array.from({ length: 300 }, (_, index) => 9 - Math.floor(index / 100)),
    );
    for (const { admin, address } of cluster.masters) {
      const own = Array.from({ length: 100 }, (_, index) => user(index)).filter(
        (key) => store.laneOf(key) === address,
      );
      expect(own.length).toBeGreaterThan(15);
      expect(await admin.exists(...own.slice(0, 1))).toBe(1);
    }
  });

  it('refunds, renews, resets and settles keys of several slots', async () => {
    await using store = await connectedStore(cluster.target);
    const terms = Array.from({ length: 6 }, (_, index) =>
      termOf('FAIL_OPEN', `ratelimit:parts:{user:${index}}`),
    );
    const parts = await Promise.all(
      terms.map(async (term) => {
        const [state] = await store.decide(askFor([term], { lease: 'op' }));
        return { ...term, resetMicros: state?.resetMicros ?? 0 };
      }),
    );
    expect(await store.renew('op', parts)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await store.refund('op', parts.slice(1))).toEqual([1, 1, 1, 1, 1]);
    expect(await store.refund('op', parts)).toEqual([1, 0, 0, 0, 0, 0]);
    await store.settle(parts.map(({ key, limit }) => ({ key, limit, debt: [1, 3] })));
    const after = await Promise.all(terms.map((term) => store.decide(askFor([term]))));
    expect(after.map(([state]) => state?.allowed)).toEqual(terms.map(() => false));
    expect(await store.reset(parts.map(({ key }) => key))).toBe(6);
  });

  it('refuses an ask whose keys are in several slots, and opens no breaker by that', async () => {
    await using store = await connectedStore(cluster.target);
    const crossing = store.decide(askFor([termOf('FAIL_OPEN', user(1)), termOf('FAIL_OPEN', user(2))]));
    await expect(crossing).rejects.toThrow(KeyUnusable);
  });

  it('goes on while the scripts are flushed on every node', async () => {
    await using store = await connectedStore(cluster.target);
    for (let turn = 0; turn < 5; turn++) {
      await Promise.all(cluster.masters.map(({ admin }) => admin.script('FLUSH')));
      await Promise.all(Array.from({ length: 30 }, (_, index) => take(store, `ratelimit:flush:{${index}}`)));
    }
    const last = await Promise.all(
      Array.from({ length: 30 }, (_, index) => take(store, `ratelimit:flush:{${index}}`)),
    );
    expect(last.every(({ allowed }) => !allowed)).toBe(true);
  });

  it('loses no check and counts none twice while a slot moves to another node and back', async () => {
    await using store = await connectedStore(cluster.target, { budgetMs: 3_000 });
    const key = 'ratelimit:moving:{moved}';
    const slot = keySlot(key);
    const home = await cluster.ownerOf(slot);
    const away = cluster.masters.find((node) => node !== home) as ClusterNode;
    const [movedBefore, askedBefore] = await Promise.all([errorsOf(home, 'MOVED'), errorsOf(home, 'ASK')]);
    const [limit, pairLimit] = [2_000, 2_000];
    let moving = true;
    let turns = 0;
    let admitted = 0;
    const load = async () => {
      for (; moving || turns < 20; turns++) {
        const fresh = `ratelimit:fresh-${turns}:{moved}`;
        const [first, second, alone, pair] = await Promise.all([
          take(store, key, { limit }),
          take(store, key, { limit }),
          take(store, fresh),
          store.decide(
            askFor([
              termOf('FAIL_OPEN', `${key}:pair`, { limit: pairLimit }),
              termOf('FAIL_OPEN', `${fresh}:pair`),
            ]),
          ),
        ]);
        for (const state of [first, second]) if (state.allowed) admitted++;
        expect(alone.remaining).toBe(4);
        expect(pair.map(({ remaining }) => remaining)).toEqual([pairLimit - turns - 1, 2]);
        await sleep(1);
      }
    };
    const loading = load();
    const open = () => sleep(150);
    for (const to of [away, home]) {
      await sleep(50);
      await cluster.moveSlot(slot, to, open);
    }
    moving = false;
    await loading;
    expect(turns).toBeGreaterThan(20);
    expect(admitted).toBe(2 * turns);
    expect(await home.admin.zcard(key)).toBe(2 * turns);
    expect(await home.admin.zcard(`${key}:pair`)).toBe(turns);
    expect((await errorsOf(home, 'ASK')) - askedBefore).toBeGreaterThan(0);
    expect((await errorsOf(home, 'MOVED')) - movedBefore).toBeGreaterThan(0);
    // A node that has not heard of the move yet may tell the old owner; the next check learns better.
    const laneNow = () => take(store, key, { limit }).then(() => store.laneOf(key));
    await expect.poll(laneNow, { timeout: 3_000 }).toBe(home.address);
  });

  it('fails one ask, not its lane, where its keys stay on both sides of a move for longer than the budget', async () => {
    await using store = await connectedStore(cluster.target, { budgetMs: 60 });
    const there = 'ratelimit:apart:{apart}';
    await take(store, there);
    const away = cluster.masters.find(({ address }) => address !== store.laneOf(there)) as ClusterNode;
    const pair = askFor([termOf('FAIL_OPEN', there), termOf('FAIL_OPEN', `${there}:new`)]);
    await cluster.moveSlot(keySlot(there), away, async () => {
      const [apart, alone] = await Promise.allSettled([store.decide(pair), take(store, there)]);
      expect(apart).toMatchObject({ status: 'rejected', reason: expect.any(KeyUnusable) });
      expect(alone).toMatchObject({ status: 'fulfilled' });
    });
    expect(await store.decide(pair)).toHaveLength(2);
  });

  it('settles what is on both sides of a move, each key where it is', async () => {
    await using store = await connectedStore(cluster.target);
    const there = 'ratelimit:owing:{owing}';
    const terms = [there, `${there}:new`].map((key) =>
      termOf('FAIL_OPEN', key, { algorithm: 'FIXED_WINDOW', limit: 9, windowMicros: 86_400_000_000 }),
    );
    await store.decide(askFor(terms.slice(0, 1)));
    const away = cluster.masters.find(({ address }) => address !== store.laneOf(there)) as ClusterNode;
    const entries = terms.map(({ key, limit }) => ({ key, limit, debt: [0, 2] }));
    await cluster.moveSlot(keySlot(there), away, () => store.settle(entries));
    const after = await store.decide(askFor(terms, { peek: true }));
    expect(after.map(({ remaining }) => remaining)).toEqual([6, 7]);
  });

  it('comes back by itself after its connections were killed, and never repeats a check that may have run', async () => {
    await using store = await connectedStore(cluster.target);
    const keys = Array.from({ length: 30 }, (_, index) => `ratelimit:killed:{${index}}`);
    let answered = 0;
    let failed = 0;
    for (let turn = 0; turn < 40; turn++) {
      const asks = Promise.allSettled(keys.map((key) => take(store, key, { limit: 1_000 })));
      if (turn === 10)
        await Promise.all(cluster.masters.map(({ admin }) => admin.call('CLIENT', 'KILL', 'TYPE', 'normal')));
      for (const { status } of await asks) status === 'fulfilled' ? answered++ : failed++;
      if (turn === 10) await untilWell(store, 1_000);
    }
    expect(answered).toBeGreaterThan(30 * 35);
    let counted = 0;
    for (const key of keys) {
      const owner = cluster.masters.find(({ address }) => address === store.laneOf(key)) as ClusterNode;
      counted += await owner.admin.zcard(key);
    }
    expect(counted).toBeGreaterThanOrEqual(answered);
    expect(counted).toBeLessThanOrEqual(answered + failed);
  });

  it('needs no more rights than a single server does, and no more for other commands', async () => {
    await Promise.all(
      cluster.masters.map(({ admin }) =>
        admin.call('ACL', 'SETUSER', 'limiter', 'reset', 'on', '>s3cret', ...LEAST_RIGHTS),
      ),
    );
    const target = { ...cluster.target, username: 'limiter', password: 's3cret' };
    await using store = await connectedStore(target);
    await Promise.all(Array.from({ length: 30 }, (_, index) => take(store, `ratelimit:rights:{${index}}`)));
    const client = connectRedis(target, 'rights');
    onTestFinished(() => closeRedis(client));
    await expect
      .poll(() => client.set('ratelimit:{other}', '1').catch(String), { timeout: 3_000 })
      .toBe('OK');
    for (const { admin } of cluster.masters) expect(await admin.call('ACL', 'LOG')).toEqual([]);
  });

  it('knows no lane before the cluster can be met, and finds it from any node that is there', async () => {
    const [first, second] = cluster.target.nodes;
    const target = { ...cluster.target, nodes: [{ host: '127.0.0.1', port: 1 }] };
    await using lost = new RedisStore({ target });
    expect([lost.lanes(), lost.laneOf('any')]).toEqual([[''], '']);
    await expect(take(lost, 'any')).rejects.toThrow(StoreUnavailable);
    await expect(lost.prepare('')).rejects.toThrow(StoreUnavailable);
    await using found = await connectedStore({
      ...target,
      nodes: [...target.nodes, first ?? second ?? { host: '', port: 0 }],
    });
    await expect.poll(() => found.lanes().length, { timeout: 2_000 }).toBe(3);
  });
});

describe('RedisStore on a cluster that loses a node', () => {
  it('goes on with the other nodes, and with the replica once it is the master', async () => {
    const cluster = await startRedisCluster({ withReplicas: true });
    onTestFinished(async () => await cluster[Symbol.asyncDispose]());
    await using store = await connectedStore(cluster.target, { budgetMs: 100 });
    const [dying] = cluster.masters as [ClusterNode];
    const [heir] = cluster.replicas as [ClusterNode];
    const keys = Array.from({ length: 60 }, (_, index) => user(index));
    const [lost, kept] = [
      keys.filter((key) => store.laneOf(key) === dying.address),
      keys.filter((key) => store.laneOf(key) !== dying.address),
    ];
    for (const key of keys) await take(store, key);
    await dying.admin.call('WAIT', 1, 1_000);
    dying.server.kill('SIGKILL');
    const start = performance.now();
    await expect(take(store, lost[0] as string)).rejects.toThrow(StoreUnavailable);

    // As a breaker does: it probes all lanes that there are.
    let backAfter: number | undefined;
    const keptFailures = new Set<string>();
    while (backAfter === undefined && performance.now() - start < 15_000) {
      for (const key of kept)
        await take(store, key, { limit: 10_000 }).catch((error) => keptFailures.add(`${error}`));
      await Promise.allSettled(store.lanes().map((lane) => store.prepare(lane)));
      if (await take(store, lost[0] as string).catch(() => undefined)) backAfter = performance.now() - start;
      else await sleep(100);
    }
    expect(backAfter).toBeLessThan(10_000);
    expect(store.lanes()).toContain(heir.address);
    expect(store.lanes()).not.toContain(dying.address);
    for (const key of lost.slice(1)) expect(await take(store, key)).toMatchObject({ remaining: 3 });
    // Between the death and the vote all nodes refuse, since not every slot has a master (cluster-require-full-coverage).
    // What a busy machine makes late is no fault of the other nodes.
    for (const failure of keptFailures) expect(failure).toMatch(/CLUSTERDOWN|no answer within 100 ms/);
  });

  it('waits within the budget for a cluster that is down, and says so beyond it', async () => {
    const cluster = await startRedisCluster({ nodeTimeoutMs: 500 });
    onTestFinished(async () => await cluster[Symbol.asyncDispose]());
    await using patient = await connectedStore(cluster.target, { budgetMs: 8_000 });
    await using store = await connectedStore(cluster.target, { budgetMs: 50 });
    const [, stopped, other] = cluster.masters as [ClusterNode, ClusterNode, ClusterNode];
    const key = Array.from({ length: 99 }, (_, index) => user(index)).find(
      (each) => store.laneOf(each) === other.address,
    ) as string;
    stopped.server.kill('SIGSTOP');
    await expect
      .poll(() => take(store, key).then(() => 'counted', String), { timeout: 8_000 })
      .toMatch(/CLUSTERDOWN/);
    await expect(store.prepare(other.address)).rejects.toThrow(/CLUSTERDOWN/);
    const waiting = take(patient, key, { limit: 1_000 });
    await sleep(100);
    stopped.server.kill('SIGCONT');
    expect(await waiting).toMatchObject({ allowed: true });
    await untilWell(store);
  });
});
