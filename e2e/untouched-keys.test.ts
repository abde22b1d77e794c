import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RateLimitClient } from '../clients/ratelimit/rate-limit-client.ts';
import { DecisionSource } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { type LimiterProcesses, startLimiters } from '../testing/agreement/limiter-processes.ts';

const RULES = `
rules:
  - name: all
    limits:
      - { name: log, limit: 3, window: 1m }
      - { name: counter, limit: 30, window: 1m, algorithm: SLIDING_WINDOW_COUNTER }
      - { name: bucket, limit: 30, window: 1m, algorithm: TOKEN_BUCKET }
      - { name: fixed, limit: 30, window: 1d, algorithm: FIXED_WINDOW }
      - { name: leases, limit: 30, window: 1m, algorithm: CONCURRENCY }
      - { name: seen, limit: 2, window: 1m, shadow: true }
      - { name: counted, limit: 30, window: 1d, algorithm: FIXED_WINDOW, shadow: true }
  - name: shadowed
    mode: SHADOW
    limits: [{ limit: 2, window: 1m }]
  - name: api_default
    limits: [{ limit: 100, window: 1m }]
`;

let limiters: LimiterProcesses;
let look: Redis;
beforeAll(async () => {
  limiters = await startLimiters(RULES, 2, 2);
  look = new Redis(limiters.redis.url, { protocol: 2 });
});
afterAll(async () => {
  look?.disconnect();
  await limiters?.[Symbol.asyncDispose]();
});

let identifier: string;
let keys = 0;
beforeEach(() => {
  identifier = `user:${keys++}`;
});

/** By one of two services. */
async function check(endpoint: string, service = 0) {
  return await (limiters.clients[service] as RateLimitClient).checkLimit({ endpoint, identifier });
}

/** Content and end of every key that counts for the identifier. */
async function counts(): Promise<Record<string, unknown>> {
  const names = (await look.keys(`ratelimit:*{${identifier}}*`)).sort();
  const entries = names.map(async (name) => {
    const content = await look.dumpBuffer(name);
    return [name, [content?.toString('base64'), await look.pexpiretime(name)]] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

describe('what stands in Redis', () => {
  it('is the same after denied and peeked checks as before, in content and time to live', async () => {
    for (let times = 0; times < 3; times += 1) expect((await check('all')).allowed).toBe(true);
    const before = await counts();
    expect(Object.keys(before)).toHaveLength(7);
    expect(Object.values(before).every((value) => ((value as number[])[1] as number) > Date.now())).toBe(
      true,
    );
    await sleep(5);

    // Each service asks Redis once, and knows from then on.
    for (const service of [0, 1]) {
      const denied = await check('all', service);
      expect(denied).toMatchObject({ allowed: false, limitName: 'log', source: DecisionSource.REDIS });
      expect((await check('all', service)).source).toBe(DecisionSource.CACHE);
    }
    for (const client of limiters.clients) await client.peekLimit({ check: { endpoint: 'all', identifier } });
    expect(await counts()).toEqual(before);
  });

  it('is the same after a check that only a shadow limit would deny, but for what is enforced', async () => {
    for (let times = 0; times < 2; times += 1) await check('all');
    const before = await counts();
    expect(await check('all')).toMatchObject({ allowed: true, shadowDenied: true });
    const after = await counts();
    const changed = Object.keys(after).filter((key) => String(after[key]) !== String(before[key]));
    expect(changed).toHaveLength(5);
    expect(changed.filter((key) => key.endsWith('!'))).toEqual([]);
    expect(Object.keys(after).filter((key) => key.endsWith('!'))).toHaveLength(2);
  });

  it('is the same after checks that a rule in shadow mode would deny', async () => {
    for (let times = 0; times < 2; times += 1) await check('shadowed');
    const before = await counts();
    expect(Object.keys(before)).toEqual([`ratelimit:shadowed:{${identifier}}!`]);
    for (const service of [0, 1]) {
      expect(await check('shadowed', service)).toMatchObject({ allowed: true, shadowDenied: true });
    }
    expect(await counts()).toEqual(before);
  });

  it('has an end: no key that counts is there for ever', async () => {
    const names = await look.keys('ratelimit:*{user:*}*');
    const ends = await Promise.all(names.map((name) => look.pttl(name)));
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((_, at) => ends[at] === -1)).toEqual([]);
  });
});
