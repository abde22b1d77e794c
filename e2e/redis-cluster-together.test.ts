import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterNode, type RedisCluster, startRedisCluster } from '../testing/redis-cluster.ts';
import { ask, type CheckRequest, remainingOf } from './check-load.ts';
import { identifiersOn } from './cluster-identifiers.ts';
import { type FleetMember, type LimiterFleet, startLimiterFleet } from './limiter-fleet.ts';

const LIMITS = { user: 60, address: 110, whole: 300, bucket: 250 } as const;

/** Windows of months, so that nothing runs out under a test. */
const RULES = `rules:
  - { name: user, limits: [{ limit: ${LIMITS.user}, window: 100d }] }
  - { name: address, limits: [{ limit: ${LIMITS.address}, window: 100d, algorithm: SLIDING_WINDOW_COUNTER }] }
  - { name: whole, limits: [{ limit: ${LIMITS.whole}, window: 100d, algorithm: FIXED_WINDOW }] }
  - { name: bucket, limits: [{ limit: ${LIMITS.bucket}, window: 100d, algorithm: TOKEN_BUCKET }] }
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

type Level = keyof typeof LIMITS;

/** Keys of several levels, as a check and what else it counts against. */
function together(keys: readonly { readonly endpoint: Level; readonly identifier: string }[], cost: number) {
  const [first, ...also] = keys;
  return { ...first, also, cost } as CheckRequest;
}

describe('checks over several identifiers, on several nodes', () => {
  it('take all or nothing: 50 writers at once never take more than a limit, and not a unit is lost', async () => {
    const key = (endpoint: Level, number: number) => ({
      endpoint,
      identifier: `storm:${endpoint}:${number}`,
    });
    const keys = [
      ...Array.from({ length: 6 }, (_, number) => key('user', number)),
      ...Array.from({ length: 3 }, (_, number) => key('address', number)),
      key('whole', 0),
      key('bucket', 0),
    ];
    const taken = new Map(keys.map(({ identifier }) => [identifier, 0]));
    const tally = { admitted: 0, denied: 0 };
    const write = async (writer: number) => {
      for (let time = 0; time < 16; time += 1) {
        const of = (count: number) => Math.floor(Math.random() * count);
        const cost = 1 + of(3);
        const asked = [
          key('user', of(6)),
          key('address', of(3)),
          key(writer % 5 > 0 ? 'whole' : 'bucket', 0),
        ];
        const answer = await ask(writer % 2 === 0 ? one : other, together(asked, cost));
        expect(['REDIS', 'CACHE']).toContain(answer.source);
        tally[answer.allowed ? 'admitted' : 'denied'] += 1;
        if (!answer.allowed) continue;
        for (const { identifier } of asked) taken.set(identifier, (taken.get(identifier) ?? 0) + cost);
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, writer) => write(writer)));
    expect(tally.admitted).toBeGreaterThan(50);
    expect(tally.denied).toBeGreaterThan(50);
    const expected = keys.map(({ endpoint, identifier }) => LIMITS[endpoint] - (taken.get(identifier) ?? 0));
    expect(Math.min(...expected)).toBeGreaterThanOrEqual(0);
    const left = await Promise.all(keys.map((each) => remainingOf(one, each)));
    expect(left).toEqual(expected);
    // All of that can be had at once, of either process: what was denied for want of units lent is forgotten.
    for (const [at, each] of keys.entries()) {
      const member = at % 2 === 0 ? other : one;
      const cost = left[at] ?? 0;
      if (cost > 0)
        expect(await ask(member, { ...each, cost })).toMatchObject({ allowed: true, remaining: 0 });
      expect(await ask(member, each)).toMatchObject({ allowed: false });
    }
  });

  it('leave every key’s units as they were where they are denied, whoever denies', async () => {
    const [first, second, third] = await identifiersOn(cluster, 'denied');
    const keys = [
      { endpoint: 'user', identifier: first },
      { endpoint: 'address', identifier: second },
      { endpoint: 'whole', identifier: third },
      { endpoint: 'bucket', identifier: third },
    ] as const;
    for (const each of keys) await ask(one, { ...each, cost: 7 });
    const left = () => Promise.all(keys.map((each) => remainingOf(other, each)));
    for (const { endpoint, identifier } of keys) {
      const spend = { endpoint, identifier, cost: await remainingOf(one, { endpoint, identifier }) };
      const { receipt } = await one.client.checkLimit({ ...spend, refundable: true });
      const before = await left();
      for (let time = 0; time < 10; time += 1) {
        // By cost 1, 2, ...: a denial that is remembered holds for its cost and more, so some ask Redis each time.
        const denied = await Promise.all(
          [one, other].map((member) => ask(member, together(keys, 10 - time))),
        );
        expect(denied.map(({ allowed }) => allowed)).toEqual([false, false]);
      }
      expect(await left()).toEqual(before);
      await one.client.refundLimit({ receipt });
    }
  });

  it('lend units while they are under way; a denial for want of those is forgotten when they are back', async () => {
    const [, lender, refuser] = await identifiersOn(cluster, 'lent');
    const [user, whole] = [
      { endpoint: 'user', identifier: lender },
      { endpoint: 'whole', identifier: refuser },
    ] as const;
    await ask(one, { ...whole, cost: LIMITS.whole });
    const [, , slow] = cluster.masters as [ClusterNode, ClusterNode, ClusterNode];
    // Not for long enough that the cluster, or the service, took it for dead.
    slow.server.kill('SIGSTOP');
    const under = ask(one, together([user, whole], LIMITS.user));
    try {
      await expect.poll(() => remainingOf(other, user), { timeout: 400, interval: 5 }).toBe(0);
      for (const member of fleet.members) {
        expect(await ask(member, user)).toMatchObject({ allowed: false });
        expect(await ask(member, user)).toMatchObject({ allowed: false, source: 'CACHE' });
      }
    } finally {
      slow.server.kill('SIGCONT');
    }
    expect(await under).toMatchObject({ allowed: false });
    expect(await ask(one, user)).toMatchObject({ allowed: true, source: 'REDIS' });
    await expect
      .poll(() => ask(other, user), { timeout: 1_000, interval: 5 })
      .toMatchObject({ allowed: true });
  });
});
