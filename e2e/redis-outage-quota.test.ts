import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CheckLimitResponse, DecisionSource } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import {
  type PersistentRedis,
  persistentRedis,
} from '../services/ratelimit/storage/testing-persistent-redis.ts';
import { type RateLimitProcess, startRateLimitProcess } from './ratelimit-process.ts';

const { REDIS, FALLBACK_LOCAL } = DecisionSource;

const LIMIT = 20;
/** Windows of months, so that nothing runs out under the test. */
const RULES = `rules:
${['SLIDING_WINDOW_LOG', 'SLIDING_WINDOW_COUNTER', 'TOKEN_BUCKET', 'FIXED_WINDOW', 'CONCURRENCY']
  .map(
    (algorithm) =>
      `  - { name: ${algorithm}, on_store_failure: FAIL_LOCAL, limits: [{ limit: ${LIMIT}, window: 100d, algorithm: ${algorithm} }] }`,
  )
  .join('\n')}
  - { name: api_default, limits: [{ limit: 100, window: 1m }] }
`;

let directory: string;
let redis: PersistentRedis;
let processes: readonly RateLimitProcess[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'optix-outage-'));
  const rulesFile = join(directory, 'rules.yaml');
  await writeFile(rulesFile, RULES);
  redis = await persistentRedis();
  const env = { REDIS_URL: redis.url, RATELIMIT_RULES_FILE: rulesFile };
  processes = [await startRateLimitProcess(env), await startRateLimitProcess(env)];
  // Both have given their second sign of life, and so know of each other.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
});
afterEach(async () => {
  for (const each of processes) await each[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function checks(process: number, times: number, endpoint: string): Promise<CheckLimitResponse[]> {
  const answers: CheckLimitResponse[] = [];
  for (let time = 0; time < times; time += 1) {
    const answer = await processes[process]?.client.checkLimit({ endpoint, identifier: 'user:1' });
    if (answer !== undefined) answers.push(answer);
  }
  return answers;
}

async function allowed(process: number, times: number, endpoint: string): Promise<number> {
  return (await checks(process, times, endpoint)).filter((answer) => answer.allowed).length;
}

/** Until both processes answer so. */
async function bothAnswerFrom(source: DecisionSource): Promise<void> {
  for (const process of [0, 1]) {
    const ask = async () => (await checks(process, 1, 'FIXED_WINDOW_PROBE'))[0]?.source;
    await expect.poll(ask, { timeout: 3_000, interval: 10 }).toBe(source);
  }
}

describe('two processes of the rate limiter, and a Redis that crashes and comes back', () => {
  it('together admit the limit: before, each its share meanwhile, and the rest after', async () => {
    const endpoints = [
      'SLIDING_WINDOW_LOG',
      'SLIDING_WINDOW_COUNTER',
      'TOKEN_BUCKET',
      'FIXED_WINDOW',
      'CONCURRENCY',
    ];
    for (const endpoint of endpoints) {
      expect([endpoint, await allowed(0, 2, endpoint), await allowed(1, 1, endpoint)]).toEqual([
        endpoint,
        2,
        1,
      ]);
    }
    await redis.crash();
    await bothAnswerFrom(DecisionSource.FALLBACK_OPEN);
    for (const endpoint of endpoints) {
      const [one, other] = [await checks(0, 6, endpoint), await checks(1, 12, endpoint)];
      expect(new Set([...one, ...other].map(({ source }) => source))).toEqual(new Set([FALLBACK_LOCAL]));
      // The second has a share of 10, and asked for 12.
      const admitted = [one, other].map((answers) => answers.filter((answer) => answer.allowed).length);
      expect([endpoint, ...admitted]).toEqual([endpoint, 6, 10]);
    }
    await redis.restart();
    await bothAnswerFrom(REDIS);
    for (const endpoint of endpoints) {
      const after = [...(await checks(0, 3, endpoint)), ...(await checks(1, 3, endpoint))];
      // 3 before, 16 in the outage: one is left.
      expect([endpoint, after.filter((answer) => answer.allowed).length]).toEqual([endpoint, 1]);
      expect(after[0]).toMatchObject({ source: REDIS, allowed: true, remaining: 0 });
    }
  }, 60_000);
});
