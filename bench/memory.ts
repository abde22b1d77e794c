/**
 * Redis memory a key, by algorithm: what `used_memory` grows by, the key itself, its expiry and their share of Redis's
 * tables among it.
 *
 *   node bench/memory.ts [--keys 1000000]
 *
 * Keys are named as the limiter names them and written by its script; only the clock is set, so that none runs out
 * meanwhile. Takes some minutes. Rows of large keys take a tenth of the keys. Starts its own Redis on a free port of the loopback.
 */
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { COUNTER_PARTS } from '../services/ratelimit/domain/algorithm.ts';
import { defineLimit, type LimitDefinition } from '../services/ratelimit/domain/limit.ts';
import { limitKey } from '../services/ratelimit/domain/limit-key.ts';
import { AskBatch } from '../services/ratelimit/storage/ask-batch.ts';
import { timed } from '../services/ratelimit/storage/lua/testing-scripts.ts';
import { DECIDE } from '../services/ratelimit/storage/scripts.ts';
import { startRedis } from '../stack/redis-server.ts';
import { untilSettled } from './settled-memory.ts';

const MINUTE = 60_000_000;
const KEYS_PER_CALL = 500;
const CALLS_AT_ONCE = 4;
const SLACK_MS = 3_600_000;

interface Subject {
  readonly name: string;
  readonly definition: LimitDefinition;
  /** What is taken of a key, and how long after the first take. */
  readonly takes: (key: number) => readonly { readonly cost: number; readonly afterMicros: number }[];
  readonly keys: number;
}

const { values } = parseArgs({ options: { keys: { type: 'string', default: '1000000' } } });
const keys = Number(values.keys);

/** One to three units, seconds apart: most keys are of somebody who does little. */
const few: Subject['takes'] = (key) =>
  Array.from({ length: 1 + (key % 3) }, (_, take) => ({ cost: 1, afterMicros: take * 7_000_003 }));
const inEachPart =
  (cost: number): Subject['takes'] =>
  () =>
    Array.from({ length: COUNTER_PARTS }, (_, part) => ({
      cost,
      afterMicros: part * (MINUTE / COUNTER_PARTS),
    }));
const minute = { limit: 100, windowMicros: MINUTE };
const large = { limit: 1_000_000_000, windowMicros: MINUTE };

const subjects: readonly Subject[] = [
  { name: 'SLIDING_WINDOW_LOG', definition: minute, takes: few, keys },
  ...(['SLIDING_WINDOW_COUNTER', 'TOKEN_BUCKET', 'FIXED_WINDOW', 'CONCURRENCY'] as const).map(
    (algorithm) => ({
      name: algorithm,
      definition: { ...minute, algorithm },
      takes: few,
      keys,
    }),
  ),
  {
    name: 'TOKEN_BUCKET of 999,999,937',
    definition: { ...large, limit: 999_999_937, algorithm: 'TOKEN_BUCKET' },
    takes: few,
    keys: keys / 10,
  },
  {
    name: 'SLIDING_WINDOW_COUNTER, all parts used',
    definition: { ...minute, algorithm: 'SLIDING_WINDOW_COUNTER' },
    takes: inEachPart(10),
    keys: keys / 10,
  },
  {
    name: 'SLIDING_WINDOW_COUNTER, all parts used, of 10^9',
    definition: { ...large, algorithm: 'SLIDING_WINDOW_COUNTER' },
    takes: inEachPart(100_000_000),
    keys: keys / 10,
  },
  {
    name: 'SLIDING_WINDOW_LOG of 100 units',
    definition: minute,
    takes: () => [{ cost: 100, afterMicros: 0 }],
    keys: keys / 10,
  },
];

/** Writes the keys of a subject into an empty Redis; answers the bytes that each takes. */
async function measure(redis: Redis, sha: string, subject: Subject): Promise<number> {
  await redis.flushall();
  const before = await untilSettled(redis);
  const limit = defineLimit(subject.definition, (field, description) => {
    throw new RangeError(`${field} ${description}`);
  });
  // A multiple of the window, so that none of the takes falls into the next fixed one.
  const began = Math.floor((Date.now() * 1_000) / MINUTE) * MINUTE;
  const write = async (first: number) => {
    for (let take = 0; ; take += 1) {
      const batch = new AskBatch(() => undefined);
      let afterMicros = 0;
      for (let number = first; number < Math.min(first + KEYS_PER_CALL, subject.keys); number += 1) {
        const taken = subject.takes(number)[take];
        if (taken === undefined) continue;
        afterMicros = taken.afterMicros;
        const key = limitKey('api_default', `user:${String(number).padStart(7, '0')}`) + limit.keySuffix;
        const ask = {
          peek: false,
          lease: `${number.toString(36).padStart(5, '0')}-${take}-0123456789ab`,
          terms: [{ key, limit, cost: taken.cost }],
        };
        batch.add(
          ask,
          () => undefined,
          () => undefined,
        );
      }
      if (batch.size === 0) return;
      const reply = (await redis.evalsha(
        sha,
        batch.keys.length,
        ...batch.keys,
        ...batch.values,
        began + afterMicros,
      )) as number[];
      if (reply.some((code, at) => at % 4 === 0 && code !== 1)) throw new Error(`${subject.name}: no room`);
    }
  };
  let next = 0;
  await Promise.all(
    Array.from({ length: CALLS_AT_ONCE }, async () => {
      while (next < subject.keys) {
        const first = next;
        next += KEYS_PER_CALL;
        await write(first);
      }
    }),
  );
  const after = await untilSettled(redis);
  const there = await redis.dbsize();
  const expiring = Number(/expires=(\d+)/.exec(await redis.info('keyspace'))?.[1]);
  if (there !== subject.keys || expiring !== there) {
    throw new Error(
      `${subject.name}: ${there} of ${subject.keys} keys are there, ${expiring} of them expire`,
    );
  }
  return (after - before) / subject.keys;
}

await using server = await startRedis();
const redis = new Redis(server.url, { protocol: 2 });
const sha = String(await redis.script('LOAD', timed(DECIDE, SLACK_MS)));
const table: Record<string, object> = {};
for (const subject of subjects) {
  const bytes = await measure(redis, sha, subject);
  table[subject.name] = { keys: subject.keys, 'bytes a key': Math.round(bytes) };
  process.stderr.write(`${subject.name}: ${Math.round(bytes)}\n`);
}
redis.disconnect();
console.log(`Redis ${server.version}`);
console.table(table);
