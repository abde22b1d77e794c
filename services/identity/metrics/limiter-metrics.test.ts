import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateLimitClient } from '../../../clients/ratelimit/rate-limit-client.ts';
import { Metrics } from '../../../runtime/metrics/metrics.ts';
import { createTestDatabase, type TestDatabase } from '../../../testing/database.ts';
import { failure } from '../../../testing/failure.ts';
import {
  identityClients,
  startTestIdentity,
  startTestRateLimit,
  type TestService,
} from '../../../testing/services.ts';
import { LimiterMetrics } from './limiter-metrics.ts';
import { scrape } from './testing-scrape.ts';

const METRIC = 'optix_identity_limiter_duration_seconds';
const COUNTS = ['allowed', 'denied', 'unavailable'].map((outcome) => `${METRIC}_count{outcome="${outcome}"}`);

async function counts(service: TestService): Promise<(number | undefined)[]> {
  const told = await scrape(service);
  return COUNTS.map((sample) => told.get(sample));
}

describe('what the rate limiter takes to answer', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => await database[Symbol.asyncDispose]());

  test.each(['deny', 'allow'])('where calls without it are to %s', async (policy) => {
    const limiter = await startTestRateLimit();
    await using service = await startTestIdentity({
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: limiter.grpcAddress,
      RATELIMIT_TIMEOUT_MS: '1000',
      RATELIMIT_ON_UNAVAILABLE: policy,
    });
    expect(await counts(service)).toEqual([0, 0, 0]);
    const { auth } = identityClients(service, 'gRPC');
    const device = { ipAddress: '203.0.113.7' };
    const register = () => auth.register({ email: `${randomUUID()}@example.com`, password: 'x', device });
    const registerWell = () =>
      auth.register({ email: `${randomUUID()}@example.com`, password: 'correct horse battery', device });
    // Bad input is refused before the limiter is asked.
    await failure(register());
    expect(await counts(service)).toEqual([0, 0, 0]);

    for (let times = 0; times < 3; times += 1) await registerWell();
    await failure(registerWell());
    expect(await counts(service)).toEqual([3, 1, 0]);

    await limiter[Symbol.asyncDispose]();
    if (policy === 'deny') await failure(registerWell());
    else await registerWell();
    expect(await counts(service)).toEqual([3, 1, 1]);
    const told = await scrape(service);
    expect(told.get(`${METRIC}_sum{outcome="allowed"}`)).toBeGreaterThan(0);
    expect(told.get(`${METRIC}_bucket{le="10",outcome="allowed"}`)).toBe(3);
  });

  test('a check that can not be made, or that its caller gave up, says nothing of it', async () => {
    await using limiter = await startTestRateLimit();
    const metrics = new Metrics();
    const told = new LimiterMetrics(metrics);
    using client = createRateLimitClient({ address: limiter.grpcAddress });
    const timed = told.timed(client);
    await failure(timed.checkLimit({ endpoint: '', identifier: '' }));
    const check = { endpoint: 'orders', identifier: 'user:1' };
    await failure(timed.checkLimit(check, { signal: AbortSignal.abort() }));
    expect(await metrics.registry.getSingleMetricAsString(METRIC)).not.toMatch(/_count\{.*\} [1-9]/);
    await timed.checkLimit(check);
    expect(await metrics.registry.getSingleMetricAsString(METRIC)).toContain('_count{outcome="allowed"} 1');
  });
});
