import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../../../stack/redis-server.ts';
import { ALGORITHMS, type Algorithm } from '../../domain/algorithm.ts';
import type { LimitDefinition } from '../../domain/limit.ts';
import type { LimitState, Term } from '../../domain/limit-store.ts';
import { limitOf } from '../../domain/testing-limit.ts';
import { DECIDE } from '../scripts.ts';
import { inspect, killRedis } from '../testing-redis.ts';
import { steps } from './testing-operations.ts';
import { ModelScripts, TimedScripts, timed } from './testing-scripts.ts';

const T = 1_700_000_000_000_000;
const SECOND = 1_000_000;

let server: RedisServer;
let redis: Redis;
let scripts: TimedScripts;

beforeAll(async () => {
  server = await startRedis();
  redis = inspect(server.url);
  scripts = new TimedScripts(redis, 1_000);
});

afterAll(async () => {
  redis.disconnect();
  await killRedis(server);
});

function term(key: string, cost: number, definition: LimitDefinition): Term {
  return { key, cost, limit: limitOf(definition) };
}

async function decide(clock: number, terms: readonly Term[], peek = false) {
  return (await scripts.decide(clock, [{ terms, peek, lease: 'lease' }]))[0] ?? [];
}

/** Of a single log: whether it was allowed, and what remains. */
async function verdict(clock: number, key: string, cost: number, limit: number) {
  const [state] = (await decide(clock, [term(key, cost, { limit, windowMicros: SECOND })])) as LimitState[];
  return [state?.allowed, state?.remaining];
}

/** Content and expiry of keys. */
async function image(keys: readonly string[]): Promise<unknown> {
  const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
  return { dumps, expiries: await Promise.all(keys.map((key) => redis.pexpiretime(key))) };
}

describe('decide.lua', () => {
  it('reads the clock in one place, which these tests replace', () => {
    expect(DECIDE.source.split("redis.call('TIME')")).toHaveLength(2);
    expect(timed(DECIDE)).not.toContain("'TIME'");
  });

  it('looks at a thousand leases at most to tell when there is room, as the model does', async () => {
    const models = new ModelScripts();
    const limit = limitOf({ algorithm: 'CONCURRENCY', limit: 1_500, windowMicros: 60 * SECOND });
    const both = async (clock: number, lease: string, cost: number) => {
      const asks = [{ terms: [{ key: '{leases}', limit, cost }], peek: false, lease }];
      const [answer] = await scripts.decide(clock, asks);
      expect(answer).toEqual(models.decide(clock, asks)[0]);
      return answer?.[0] as LimitState;
    };
    for (let lease = 0; lease < 1_500; lease += 1) await both(T + lease, `lease-${lease}`, 1);
    const after = T + 2_000;
    expect((await both(after, 'few', 10)).retryAfterMicros).toBe(T + 9 + 60 * SECOND - after);
    expect((await both(after, 'many', 1_000)).retryAfterMicros).toBe(T + 999 + 60 * SECOND - after);
    // The least that it can be.
    expect((await both(after, 'all', 1_500)).retryAfterMicros).toBe(T + 999 + 60 * SECOND - after);
    expect((await both(after, 'lease-3', 1)).allowed).toBe(true);
  });

  it('changes neither content nor expiry of what it does not take', async () => {
    let untouched = 0;
    await fc.assert(
      fc.asyncProperty(steps(ALGORITHMS, false, 20), async (sequence) => {
        await redis.flushall();
        const [patient, models] = [new TimedScripts(redis), new ModelScripts()];
        let clock = T;
        for (const { micros, operation } of sequence) {
          clock += micros;
          if (operation.kind !== 'decide') continue;
          for (const ask of operation.asks) {
            const states = models.decide(clock, [ask])[0] ?? [];
            const hasRoom = (shadow: boolean) =>
              ask.terms.every(({ limit }, at) => limit.shadow !== shadow || states[at]?.allowed === true);
            const kept = ask.terms.filter(
              ({ limit }) => ask.peek || !hasRoom(false) || (limit.shadow && !hasRoom(true)),
            );
            const keys = kept.map(({ key }) => key);
            const before = await image(keys);
            await patient.decide(clock, [ask]);
            expect(await image(keys)).toEqual(before);
            untouched += keys.length;
          }
        }
      }),
      { numRuns: 60 },
    );
    expect(untouched).toBeGreaterThan(500);
  });

  it.each(ALGORITHMS)(
    'lets every key live until nothing in it counts, and a second more: %s',
    async (algorithm) => {
      for (const windowMicros of [1_000, 1_001, 60 * SECOND]) {
        const key = `ttl-${algorithm}-${windowMicros}`;
        const one = term(key, 1, { algorithm, limit: 2, windowMicros });
        const [first] = (await decide(T, [one])) as LimitState[];
        const lives = await redis.pttl(key);
        expect(lives).toBeGreaterThan(((first?.resetMicros ?? 0) - T) / 1_000);
        expect(lives).toBeLessThanOrEqual(((first?.resetMicros ?? 0) - T) / 1_000 + 1_001);
      }
    },
  );

  it.each(ALGORITHMS)('answers the other terms where one key holds something else: %s', async (algorithm) => {
    const other: Algorithm = algorithm === 'TOKEN_BUCKET' ? 'FIXED_WINDOW' : 'TOKEN_BUCKET';
    await redis.set(`${algorithm}-text`, 'some text');
    await redis.set(`${algorithm}-empty`, '');
    await redis.rpush(`${algorithm}-list`, 'entry');
    await redis.zadd(`${algorithm}-set`, 1, 'entry');
    await decide(T, [term(`${algorithm}-other`, 1, { algorithm: other, limit: 5, windowMicros: SECOND })]);
    for (const kind of ['text', 'empty', 'list', 'set', 'other']) {
      const definition = { algorithm, limit: 5, windowMicros: SECOND };
      const foreign = term(`${algorithm}-${kind}`, 1, definition);
      const before = await image([foreign.key]);
      const lone = (key: string) => ({ terms: [term(key, 1, definition)], peek: false, lease: 'lease' });
      const well = `${algorithm}-${kind}-well`;
      const [first, , second] = await scripts.decide(T, [
        lone(well),
        { ...lone(''), terms: [foreign] },
        lone(`${well}2`),
      ]);
      expect([first, second]).toMatchObject([[{ remaining: 4 }], [{ remaining: 4 }]]);
      const [failed] = await decide(T, [foreign]);
      expect(failed).toMatchObject({ error: expect.stringMatching(/./) });
      if (kind === 'list') expect(failed).toMatchObject({ error: expect.stringMatching(/^WRONGTYPE /) });
      // Beside it nothing is taken; but a shadow's error is none of the enforced ones' business.
      await decide(T, [foreign, term(`${well}3`, 1, definition)]);
      expect(await redis.exists(`${well}3`)).toBe(0);
      const shadow = (key: string) => term(key, 1, { ...definition, shadow: true });
      await decide(T, [shadow(foreign.key), shadow(`${well}4`), term(`${well}5`, 1, definition)]);
      expect([await redis.exists(`${well}4`), await redis.exists(`${well}5`)]).toEqual([0, 1]);
      expect(await image([foreign.key])).toEqual(before);
    }
  });

  it('counts the units of a bucket exactly where doubles are a unit off', async () => {
    const definitions = fc.array(
      fc.record({
        limit: fc.integer({ min: 1, max: 1_000_000_000 }),
        windowMicros: fc.integer({ min: 1_000, max: 1_000_000_000_000 }),
        share: fc.nat({ max: 1_000_000_000 }),
      }),
      { minLength: 100, maxLength: 100 },
    );
    await fc.assert(
      fc.asyncProperty(definitions, async (buckets) => {
        await redis.flushall();
        const terms = buckets.map(({ share, ...rest }, at) =>
          term(`${at}`, 1 + (share % rest.limit), { algorithm: 'TOKEN_BUCKET', ...rest }),
        );
        await decide(T, terms);
        const states = (await decide(T, terms, true)) as LimitState[];
        expect(states.map(({ remaining }) => remaining)).toEqual(
          terms.map(({ limit, cost }) => limit.limit - cost),
        );
      }),
      { numRuns: 20 },
    );
  });

  it('keeps to 48 bytes of content for the algorithms of one string, at a usual limit', async () => {
    for (const algorithm of ['SLIDING_WINDOW_COUNTER', 'TOKEN_BUCKET', 'FIXED_WINDOW'] as const) {
      const usual = { algorithm, limit: 100, windowMicros: 60 * SECOND };
      for (let unit = 0; unit < 90; unit++) await decide(T + unit * SECOND, [term(algorithm, 1, usual)]);
      expect(await redis.strlen(algorithm)).toBeLessThanOrEqual(48);
    }
  });
});

describe('the log in Redis', () => {
  async function preset(key: string, units: readonly (readonly [micros: number, member: number])[]) {
    for (const [micros, member] of units) await redis.zadd(key, micros, `${member}`);
  }

  it('writes a cost of thousands at once, each unit a member', async () => {
    expect(await verdict(T, 'large', 20_001, 30_000)).toEqual([true, 9_999]);
    expect(await redis.zcard('large')).toBe(20_001);
    expect(await verdict(T + 1, 'large', 10_000, 30_000)).toEqual([false, 9_999]);
    expect(await verdict(T + 1, 'large', 9_999, 30_000)).toEqual([true, 0]);
  });

  it('stays a listpack of short members for 100 units: 1.5 KB', async () => {
    for (let unit = 0; unit < 100; unit++) await verdict(T + unit * 1_000, 'compact', 1, 100);
    expect(await redis.object('ENCODING', 'compact')).toBe('listpack');
    expect(await redis.memory('USAGE', 'compact')).toBeLessThan(1_600);
  });

  it('starts its sequence anew where all is dead', async () => {
    await preset('idle', [[T, 9_999_990]]);
    expect(await verdict(T + SECOND, 'idle', 2, 2)).toEqual([true, 0]);
    expect(await redis.zrange('idle', '0', '-1')).toEqual(['1000000', '1000001']);
  });

  it('at the end of the sequence numbers the living anew and overwrites none', async () => {
    // One is dead; equal times are in the order of their members.
    await preset('wrap', [
      [T, 9_999_994],
      [T + 10, 9_999_995],
      [T + 20, 9_999_996],
      [T + 20, 9_999_997],
    ]);
    const clock = T + SECOND;
    expect(await verdict(clock, 'wrap', 2, 9)).toEqual([true, 4]);
    expect(await redis.zrange('wrap', '-2', '-1')).toEqual(['9999998', '9999999']);
    expect(await verdict(clock, 'wrap', 3, 9)).toEqual([true, 1]);
    expect(await redis.zrange('wrap', '0', '-1', 'WITHSCORES')).toEqual(
      [T + 10, T + 20, T + 20, clock, clock, clock, clock, clock].flatMap((at, index) => [
        `${1_000_000 + index}`,
        `${at}`,
      ]),
    );
    expect(await verdict(clock, 'wrap', 1, 9)).toEqual([true, 0]);
    expect(await verdict(clock, 'wrap', 1, 9)).toEqual([false, 0]);
    expect(await redis.pttl('wrap')).toBeGreaterThan(0);
  });

  it('numbers anew before a cost that would only begin within the sequence', async () => {
    await preset('crossing', [
      [T, 9_999_997],
      [T, 9_999_998],
    ]);
    expect(await verdict(T, 'crossing', 4, 6)).toEqual([true, 0]);
    const members = [0, 1, 2, 3, 4, 5].map((index) => `${1_000_000 + index}`);
    expect(await redis.zrange('crossing', '0', '-1')).toEqual(members);
  });
});
