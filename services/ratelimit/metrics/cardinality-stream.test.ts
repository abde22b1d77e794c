import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { testRedisUrl } from '../../../testing/redis.ts';
import { rateLimitClient, startTestRateLimit, type TestService } from '../../../testing/services.ts';
import { seriesOf } from './testing-scrape.ts';

const TOP = 10;
const EACH = 1_000;
const OURS = /^(optix|ratelimit)_/;
/** One a minute, for every endpoint. */
const RULES = 'rules: [{ name: api_default, limits: [{ limit: 1, window: 1m, algorithm: TOKEN_BUCKET }] }]';

async function startLimiter(): Promise<TestService> {
  const directory = mkdtempSync(join(tmpdir(), 'optix-cardinality-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'rules.yaml');
  writeFileSync(file, RULES);
  return await startTestRateLimit({
    REDIS_URL: testRedisUrl(),
    REDIS_TIMEOUT_MS: '10000',
    RATELIMIT_RULES_FILE: file,
    RATELIMIT_METRICS_TOP_KEYS: String(TOP),
  });
}

it('100,000 identifiers and endpoints through a stream make no more series at /metrics than the first few', async () => {
  await using service = await startLimiter();
  const client = rateLimitClient(service, 'gRPC');
  const scrape = async () => await (await fetch(`${service.httpUrl}/metrics`)).text();
  /** Asks for so many messages of checks that nobody has asked for, then for the first of them again. */
  const ask = async (name: string, messages: number) => {
    async function* requests() {
      for (let message = 0; message <= messages; message += 1) {
        const items = Array.from({ length: EACH }, (_, id) => {
          const of = `${name}.${message % messages}.${id}`;
          return { id, check: { endpoint: `made.up:${of}`, identifier: `user:${of}` } };
        });
        yield { items };
      }
    }
    let allowed = 0;
    let denied = 0;
    for await (const { items } of client.streamCheckLimits(requests())) {
      for (const { outcome } of items) {
        if (outcome.case !== 'decision') throw new Error(`an item failed: ${outcome.case}`);
        if (outcome.value.allowed) allowed += 1;
        else denied += 1;
      }
    }
    return { allowed, denied };
  };
  expect(await ask('before', 1)).toEqual({ allowed: EACH, denied: EACH });
  const before = seriesOf(await scrape(), OURS);
  expect(await ask('after', 100)).toEqual({ allowed: 100 * EACH, denied: EACH });
  const after = await scrape();
  // What may be new: denials that are remembered. Those from Redis, and the keys that are denied most, are there before.
  expect(seriesOf(after, OURS) - before).toBeLessThanOrEqual(1);
  expect(seriesOf(after, /^optix_ratelimit_top_denied_checks/)).toBe(TOP);
  expect(seriesOf(after, /^optix_ratelimit_decisions_total/)).toBeLessThanOrEqual(3);
}, 90_000);
