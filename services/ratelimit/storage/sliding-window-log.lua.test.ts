import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { SlidingWindowLog } from '../domain/sliding-window-log.ts';
import { inspect, killRedis } from './testing-redis.ts';

const SCRIPT = readFileSync(new URL('./sliding-window-log.lua', import.meta.url), 'utf8');
const CLOCK = "redis.call('TIME')";
/** The production script, but for the one line that reads the clock: it takes the last argument instead. */
const TIMED_SCRIPT = SCRIPT.replace(CLOCK, '{ string.sub(ARGV[#ARGV], 1, -7), string.sub(ARGV[#ARGV], -6) }');

const T = 1_700_000_000_000_000;
const SECOND = 1_000_000;

interface Asked {
  readonly key: string;
  readonly cost: number;
  readonly limit: number;
  readonly windowMicros: number;
}

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = inspect(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await killRedis(server);
});

async function run(clock: number, checks: readonly Asked[]): Promise<unknown[]> {
  const keys = checks.map(({ key }) => key);
  const numbers = checks.flatMap(({ cost, limit, windowMicros }) => [cost, limit, windowMicros]);
  return (await redis.eval(TIMED_SCRIPT, keys.length, ...keys, ...numbers, clock)) as unknown[];
}

function take(clock: number, key: string, cost: number, limit: number, windowMicros: number) {
  return run(clock, [{ key, cost, limit, windowMicros }]);
}

/** Allowed (1 or 0), and what remains. */
async function verdict(...args: Parameters<typeof take>): Promise<unknown[]> {
  return (await take(...args)).slice(0, 2);
}

/** Puts units taken at given times under a key, with given sequence numbers. */
async function preset(
  key: string,
  units: readonly (readonly [micros: number, member: number])[],
): Promise<void> {
  for (const [micros, member] of units) await redis.zadd(key, micros, `${member}`);
}

describe('sliding-window-log.lua', () => {
  it('reads the clock in one place, which these tests replace', () => {
    expect(SCRIPT.split(CLOCK)).toHaveLength(2);
    expect(TIMED_SCRIPT).not.toContain('TIME');
  });

  it('decides every sequence of checks as the reference model does', async () => {
    const asked = fc.record({
      key: fc.constantFrom('{a}', '{b}', '{c}'),
      limit: fc.integer({ min: 1, max: 8 }),
      costShare: fc.integer({ min: 0, max: 7 }),
      windowMicros: fc.constantFrom(1, 3, 999, 1_000, 1_001, 10_000, SECOND, 60 * SECOND),
    });
    const step = fc.record({
      // Backwards, not at all, to the very edges of the windows, and anywhere.
      micros: fc.oneof(
        fc.constantFrom(0, 0, 1, 2, 3, 998, 999, 1_000, 1_001, SECOND - 1, SECOND, 60 * SECOND),
        fc.integer({ min: -2 * SECOND, max: 2 * SECOND }),
        fc.integer({ min: -2_000, max: 2_000 }),
      ),
      batch: fc.array(asked, { minLength: 1, maxLength: 4 }),
    });
    let sequence = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        sequence++;
        const logs = new Map<string, SlidingWindowLog>();
        let clock = T;
        for (const { micros, batch } of steps) {
          clock += micros;
          const checks = batch.map(({ key, limit, costShare, windowMicros }) => ({
            key: `${sequence}${key}`,
            cost: 1 + (costShare % limit),
            limit,
            windowMicros,
          }));
          const expected = checks.flatMap(({ key, cost, limit, windowMicros }) => {
            const log = logs.get(key) ?? new SlidingWindowLog();
            logs.set(key, log);
            const state = log.take(clock, cost, limit, windowMicros);
            return [state.allowed ? 1 : 0, state.remaining, state.resetMicros, state.retryAfterMicros];
          });
          expect(await run(clock, checks)).toEqual(expected);
        }
      }),
      { numRuns: 250 },
    );
  }, 20_000);

  it('changes neither content nor expiry of a key when it denies, not even by dropping the dead', async () => {
    await take(T, 'denied', 1, 3, SECOND);
    await take(T + SECOND / 2, 'denied', 2, 3, SECOND);
    const before = [await redis.dumpBuffer('denied'), await redis.pexpiretime('denied')];
    // The first unit is dead by now, the other two are alive.
    expect((await take(T + SECOND, 'denied', 2, 3, SECOND))[0]).toBe(0);
    expect((await take(T, 'denied', 3, 3, SECOND))[0]).toBe(0);
    expect((await take(T + SECOND, 'denied', 1, 1, 60 * SECOND))[0]).toBe(0);
    expect([await redis.dumpBuffer('denied'), await redis.pexpiretime('denied')]).toEqual(before);
  });

  it.each([1, 999, 1_000, 1_001, 60 * SECOND])(
    'has every key expire, after its newest unit died: window of %i µs',
    async (windowMicros) => {
      const key = `ttl-${windowMicros}`;
      await take(T, key, 1, 2, windowMicros);
      const afterFirst = await redis.pttl(key);
      expect(afterFirst).toBeGreaterThan(windowMicros / 1000);
      expect(afterFirst).toBeLessThanOrEqual(windowMicros / 1000 + 1_001);
      // With the clock set back 5 s the unit lives 5 s longer by that clock, and so must the key.
      await take(T - 5 * SECOND, key, 1, 2, windowMicros);
      expect(await redis.pttl(key)).toBeGreaterThan(5_000 + windowMicros / 1000);
    },
  );

  it('writes a cost of thousands at once, each unit a member', async () => {
    expect(await take(T, 'large', 20_001, 30_000, SECOND)).toEqual([1, 9_999, T + SECOND, 0]);
    expect(await redis.zcard('large')).toBe(20_001);
    expect(await verdict(T + 1, 'large', 10_000, 30_000, SECOND)).toEqual([0, 9_999]);
    expect(await verdict(T + 1, 'large', 9_999, 30_000, SECOND)).toEqual([1, 0]);
  });

  it('stays a listpack of short members for 100 units: 1.5 KB', async () => {
    for (let unit = 0; unit < 100; unit++) await take(T + unit * 1_000, 'compact', 1, 100, 60 * SECOND);
    expect(await redis.object('ENCODING', 'compact')).toBe('listpack');
    expect(await redis.memory('USAGE', 'compact')).toBeLessThan(1_600);
  });

  it('starts its sequence anew where all is dead', async () => {
    await preset('idle', [[T, 9_999_990]]);
    expect((await take(T + SECOND, 'idle', 2, 2, SECOND))[0]).toBe(1);
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
    expect(await verdict(clock, 'wrap', 2, 9, SECOND)).toEqual([1, 4]);
    expect(await redis.zrange('wrap', '0', '-1')).toEqual([
      '9999995',
      '9999996',
      '9999997',
      '9999998',
      '9999999',
    ]);
    expect(await verdict(clock, 'wrap', 3, 9, SECOND)).toEqual([1, 1]);
    expect(await redis.zrange('wrap', '0', '-1', 'WITHSCORES')).toEqual(
      [T + 10, T + 20, T + 20, clock, clock, clock, clock, clock].flatMap((at, index) => [
        `${1_000_000 + index}`,
        `${at}`,
      ]),
    );
    expect(await verdict(clock, 'wrap', 1, 9, SECOND)).toEqual([1, 0]);
    expect(await verdict(clock, 'wrap', 1, 9, SECOND)).toEqual([0, 0]);
    expect(await redis.pttl('wrap')).toBeGreaterThan(0);
  });

  it('numbers anew before a cost that would only begin within the sequence', async () => {
    await preset('crossing', [
      [T, 9_999_997],
      [T, 9_999_998],
    ]);
    expect(await verdict(T, 'crossing', 4, 6, SECOND)).toEqual([1, 0]);
    const members = [0, 1, 2, 3, 4, 5].map((index) => `${1_000_000 + index}`);
    expect(await redis.zrange('crossing', '0', '-1')).toEqual(members);
  });

  it('answers the other checks of a batch where one key holds another type', async () => {
    await redis.set('foreign', 'text');
    const one = { cost: 1, limit: 5, windowMicros: SECOND };
    const reply = await run(T, [
      { key: 'well-1', ...one },
      { key: 'foreign', ...one },
      { key: 'well-2', ...one },
    ]);
    expect(reply[4]).toBe(-1);
    expect(reply[5]).toMatch(/^WRONGTYPE /);
    expect([reply[0], reply[8]]).toEqual([1, 1]);
    expect(await redis.get('foreign')).toBe('text');
  });
});
