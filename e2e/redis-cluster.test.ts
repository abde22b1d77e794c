import { setTimeout as sleep } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WatchDecisionsResponse } from '../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { DecisionSource } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { keySlot } from '../services/ratelimit/storage/key-slot.ts';
import { failure } from '../testing/failure.ts';
import { type ClusterNode, type RedisCluster, startRedisCluster } from '../testing/redis-cluster.ts';
import { ask, type CheckRequest, checkLoad, remainingOf, sourcesOf } from './check-load.ts';
import { identifiersOn } from './cluster-identifiers.ts';
import { type FleetMember, type LimiterFleet, startLimiterFleet } from './limiter-fleet.ts';

/** As the rules below have them. Windows of months, so that nothing runs out under a test. */
const EACH = 3;
const MOVING = 2_000;

const RULES = `rules:
  - { name: each, limits: [{ limit: ${EACH}, window: 100d }] }
  - { name: held, limits: [{ limit: 2, window: 1m, algorithm: CONCURRENCY }] }
  - name: moving
    limits:
      - { limit: ${MOVING}, window: 100d }
      - { name: other, limit: ${MOVING}, window: 100d, algorithm: SLIDING_WINDOW_COUNTER }
  - { name: beside, limits: [{ limit: 1000000, window: 100d, algorithm: SLIDING_WINDOW_COUNTER }] }
  - { name: api_default, limits: [{ limit: 100, window: 1m }] }
`;

let cluster: RedisCluster;
let fleet: LimiterFleet;
let one: FleetMember;
let other: FleetMember;
beforeAll(async () => {
  cluster = await startRedisCluster();
  // Every answer shall be Redis's own, however busy the machine is.
  fleet = await startLimiterFleet(cluster.target, RULES, { REDIS_TIMEOUT_MS: '10000' });
  [one, other] = fleet.members;
});
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

describe('two rate limiters on a cluster of three', () => {
  it('agree on each limit, whichever node it is on', async () => {
    const all = Array.from({ length: 60 }, (_, number) => `agreed:${number}`);
    const owners = new Set(
      await Promise.all(all.map((identifier) => cluster.ownerOf(keySlot(`{${identifier}}`)))),
    );
    expect(owners.size).toBe(3);
    const answers = await Promise.all(
      all.flatMap((identifier) =>
        [one, other, one, other, one, other].map((member) => ask(member, { endpoint: 'each', identifier })),
      ),
    );
    for (const { source } of answers) expect(['REDIS', 'CACHE']).toContain(source);
    const admitted = Map.groupBy(
      answers.filter(({ allowed }) => allowed),
      ({ request }) => request.identifier,
    );
    expect([...admitted.values()].map(({ length }) => length)).toEqual(all.map(() => EACH));
  });

  it('have a new, a changed and a deleted live rule in force on both within a second', async () => {
    const name = 'live';
    const check = { endpoint: name, identifier: 'user:1' };
    const limitAt = (member: FleetMember) => async () => (await member.client.checkLimit(check)).limit;
    const within = { timeout: 1_000, interval: 10 };
    const limits = (limit: number) => [{ limit, window: { seconds: 60n } }];
    const { rule } = await one.admin.createRule({ rule: { name, limits: limits(7) } });
    expect(await limitAt(one)()).toBe(7);
    await expect.poll(limitAt(other), within).toBe(7);
    await other.admin.updateRule({ rule: { name, limits: limits(9), etag: rule?.etag ?? '' } });
    await expect.poll(limitAt(one), within).toBe(9);
    const stale = one.admin.updateRule({ rule: { name, limits: limits(8), etag: rule?.etag ?? '' } });
    expect((await failure(stale)).code).toBe(Code.Aborted);
    await one.admin.deleteRule({ name });
    await expect.poll(limitAt(other), within).toBe(100);
  });

  it('reset on one what the other remembers as denied, on every node', async () => {
    for (const identifier of await identifiersOn(cluster, 'reset')) {
      const check = { endpoint: 'each', identifier };
      for (let time = 0; time < EACH; time += 1) await ask(one, check);
      expect(await ask(one, check)).toMatchObject({ allowed: false, source: 'REDIS' });
      expect(await ask(one, check)).toMatchObject({ allowed: false, source: 'CACHE' });
      expect((await other.admin.resetLimit(check)).reset).toBe(true);
      await expect
        .poll(() => ask(one, check), { timeout: 1_000, interval: 5 })
        .toMatchObject({ allowed: true });
    }
  });

  it('refund on one, once, what the other took on several nodes', async () => {
    const targets = (await identifiersOn(cluster, 'refund')).map((identifier) => ({
      endpoint: 'each',
      identifier,
    }));
    const [first, ...also] = targets;
    const { receipt } = await one.client.checkLimit({ ...first, also, cost: 2, refundable: true });
    const left = () => Promise.all(targets.map((target) => remainingOf(other, target)));
    expect(await left()).toEqual([1, 1, 1]);
    const refund = ({ client }: FleetMember) => client.refundLimit({ receipt });
    // Each node gives its part back to whoever comes first there, so several of these may hear of something.
    const refunds = await Promise.all([one, other, one, other].map(refund));
    expect(refunds.some(({ refunded }) => refunded)).toBe(true);
    expect(await left()).toEqual([3, 3, 3]);
    // Were any of it given back again, the units of another would go.
    for (const target of targets) await ask(one, { ...target, cost: 3 });
    expect((await refund(other)).refunded).toBe(false);
    expect(await left()).toEqual([0, 0, 0]);
  });

  it('renew and end on one the leases that the other took on several nodes', async () => {
    const targets = (await identifiersOn(cluster, 'lease')).map((identifier) => ({
      endpoint: 'held',
      identifier,
    }));
    const [first, ...also] = targets;
    const { receipt } = await one.client.checkLimit({ ...first, also });
    const left = () => Promise.all(targets.map((target) => remainingOf(one, target)));
    expect(await left()).toEqual([1, 1, 1]);
    await sleep(50);
    const { expireTime } = await other.client.renewLease({ receipt });
    expect(expireTime && timestampMs(expireTime)).toBeGreaterThan(Date.now() + 55_000);
    expect((await other.client.refundLimit({ receipt })).refunded).toBe(true);
    expect(await left()).toEqual([2, 2, 2]);
    expect((await failure(one.client.renewLease({ receipt }))).code).toBe(Code.NotFound);
  });

  it('show the decisions of one to its watcher, and the figures of both to everybody', async () => {
    const [identifier] = await identifiersOn(cluster, 'top');
    const check = { endpoint: 'each', identifier };
    const abort = new AbortController();
    const seen: WatchDecisionsResponse[] = [];
    const watching = (async () => {
      const stream = one.admin.watchDecisions({ identifierPrefix: 'top:' }, { signal: abort.signal });
      for await (const decision of stream) seen.push(decision);
    })().catch(() => undefined);
    // The first ones may come before the watcher is there.
    await expect.poll(() => ask(one, check).then(() => seen.length), { timeout: 2_000 }).toBeGreaterThan(0);
    for (let time = 0; time < 40; time += 1) await ask(time % 2 === 0 ? one : other, check);
    await expect.poll(() => seen.length, { timeout: 2_000 }).toBeGreaterThanOrEqual(21);
    expect(seen.at(-1)).toMatchObject({ ...check, allowed: false, source: DecisionSource.CACHE });
    abort.abort();
    await watching;
    // Each writes its figures every two seconds.
    for (const { admin } of fleet.members) {
      const top = async () => {
        const { entries, replicas } = await admin.listTopLimited({ endpoint: 'each' });
        const entry = entries.find((each) => each.identifier === identifier);
        return { replicas, enough: Number(entry?.count ?? 0) >= 40 - EACH };
      };
      await expect.poll(top, { timeout: 5_000 }).toEqual({ replicas: 2, enough: true });
    }
  });
});

describe('checks while the slot of their keys moves to another node and back', () => {
  it('admit the limit: not a unit more, and not one less', async () => {
    const [identifier, besides] = await identifiersOn(cluster, 'moving');
    const check = { endpoint: 'moving', identifier };
    const also = [{ endpoint: 'beside', identifier: besides }];
    await using load = checkLoad(fleet.members, (turn) => (turn % 2 === 0 ? check : { ...check, also }));
    const [home, away] = cluster.masters as [ClusterNode, ClusterNode];
    const open = () => sleep(150);
    for (const to of [away, home]) {
      await sleep(100);
      await cluster.moveSlot(keySlot(`{${identifier}}`), to, open);
    }
    const movedAt = performance.now();
    const denied = () => load.answers.filter(({ allowed }) => !allowed).length;
    await expect.poll(denied, { timeout: 20_000 }).toBeGreaterThan(50);
    const answers = await load.stop();
    expect(Object.keys(sourcesOf(answers)).sort()).toEqual(['CACHE', 'REDIS']);
    const admitted = answers.filter(({ allowed }) => allowed);
    expect(admitted.filter(({ atMs }) => atMs < movedAt).length).toBeGreaterThan(100);
    expect(admitted.length).toBe(MOVING);
    const beside = admitted.filter(({ request }) => request.also !== undefined).length;
    expect(await remainingOf(one, also[0] as CheckRequest)).toBe(1_000_000 - beside);
  });
});
