import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Metrics } from '../../../runtime/metrics/metrics.ts';
import { DecisionFeed } from '../domain/decision-feed.ts';
import { DirectStore } from '../domain/decision-store.ts';
import { DecisionTail } from '../domain/decision-tail.ts';
import { descriptorOf } from '../domain/envoy/testing-descriptors.ts';
import { asking, EnvoyWorld } from '../domain/envoy/testing-should-limit.ts';
import { Limiter } from '../domain/limiter.ts';
import { check, MINUTE, rulesOf } from '../domain/testing-decisions.ts';
import { TopKeys } from '../domain/top-keys.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { DecisionCounts } from './decision-counts.ts';
import { EnvoyStatistics } from './envoy-statistics.ts';
import { scrape, seriesOf } from './testing-scrape.ts';
import { TopDenied } from './top-denied.ts';

const MILLION = 1_000_000;
const MB = 1_048_576;
const TOP = 10;
const OURS = /^(optix|ratelimit)_/;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

it('a million identifiers and endpoints make no more series than the first few, and take no more memory', async () => {
  const metrics = new Metrics();
  using keys = new TopKeys();
  // As full as it gets after a tenth: what grows after that is not the store.
  using store = new MemoryStore({ maxKeys: 50_000 });
  const rules = rulesOf({
    api_default: { limits: [{ limit: 1, windowMicros: MINUTE, algorithm: 'FIXED_WINDOW' }] },
  });
  new TopDenied(metrics, { keys, size: TOP });
  const limiter = new Limiter({
    rules: () => rules,
    store: new DirectStore(store),
    enabled: true,
    observer: new DecisionFeed(keys, new DecisionTail(), new DecisionCounts(metrics)),
  });
  const series: number[] = [];
  let heapAtHalf = 0;
  for (let each = 0; each < MILLION; each += 1) {
    const asked = check({ endpoint: `made/up:${each}`, identifier: `user:${each}` });
    void limiter.check(asked);
    // Of every fourth the second is denied.
    if (each % 4 === 0) void limiter.check(asked);
    if (each % 200_000 === 199_999) series.push(seriesOf(await scrape(metrics), OURS));
    if (each === MILLION / 2) heapAtHalf = heapUsed();
  }
  // optix_start_time_seconds, api_default allowed and denied, and the keys that are denied most.
  for (const count of series) expect(count).toBeLessThanOrEqual(1 + 2 + TOP);
  expect(heapUsed() - heapAtHalf).toBeLessThan(8 * MB);
}, 90_000);

it('a million descriptors of Envoy make as many series as there are limits, and a thousand', async () => {
  const metrics = new Metrics();
  using store = new MemoryStore({ maxKeys: 50_000 });
  const world = new EnvoyWorld(
    [descriptorOf('ip', { rateLimit: { unit: 'MINUTE', requestsPerUnit: 10 }, detailedMetric: true })],
    {
      statistics: new EnvoyStatistics(metrics),
      limiterOptions: { store: new DirectStore(store), observer: new DecisionCounts(metrics) },
    },
  );
  let heapAtHalf = 0;
  for (let each = 0; each < MILLION; each += 100) {
    await world.ask(...Array.from({ length: 100 }, (_, at) => asking(`ip=${each + at}`)));
    if (each === MILLION / 2) heapAtHalf = heapUsed();
  }
  const text = await scrape(metrics);
  // total_hits and within_limit of a thousand keys and of the limit itself.
  expect(seriesOf(text, /^ratelimit_/)).toBe(2 * 1_001);
  expect(seriesOf(text, /^optix_ratelimit_decisions_total/)).toBe(1);
  expect(heapUsed() - heapAtHalf).toBeLessThan(8 * MB);
}, 90_000);
