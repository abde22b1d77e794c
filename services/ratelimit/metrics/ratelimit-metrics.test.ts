import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type RedisServer, startRedis } from '../../../stack/redis-server.ts';
import { rateLimitClient, startTestRateLimit, type TestService } from '../../../testing/services.ts';
import { inspect } from '../storage/testing-redis.ts';
import { linesOf } from './testing-scrape.ts';

const NAME = 'optix_ratelimit_';

async function scrape(service: TestService): Promise<string> {
  return await (await fetch(`${service.httpUrl}/metrics`)).text();
}

/** What a scrape tells under names that begin so, without the part that all names share. */
async function told(service: TestService, start: string): Promise<Record<string, number>> {
  const lines = linesOf(await scrape(service), NAME + start);
  return Object.fromEntries(Object.entries(lines).map(([line, value]) => [line.slice(NAME.length), value]));
}

async function ownRedis(): Promise<RedisServer> {
  const server = await startRedis();
  onTestFinished(async () => {
    server.kill('SIGCONT');
    await server.stop();
  });
  return server;
}

async function service(env: Readonly<Record<string, string>>): Promise<TestService> {
  const started = await startTestRateLimit(env);
  onTestFinished(async () => await started[Symbol.asyncDispose]());
  return started;
}

it('round trips to Redis are timed by script, and told with how many checks each had', async () => {
  const redis = await ownRedis();
  const limiter = await service({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '10000' });
  const client = rateLimitClient(limiter, 'gRPC');
  const checks = Array.from({ length: 40 }, (_, user) => ({
    endpoint: 'auth_login',
    identifier: `user:${user}`,
  }));
  await client.batchCheckLimits({ checks });
  const { receipt } = await client.checkLimit({ endpoint: 'a', identifier: 'user:1', refundable: true });
  await client.refundLimit({ receipt });
  expect(await told(limiter, 'redis_duration_seconds_count')).toEqual({
    'redis_duration_seconds_count{script="decide"}': 2,
    'redis_duration_seconds_count{script="refund"}': 1,
  });
  expect(await told(limiter, 'batched_checks')).toMatchObject({
    'batched_checks_bucket{le="1"}': 1,
    'batched_checks_bucket{le="32"}': 1,
    'batched_checks_bucket{le="64"}': 2,
    batched_checks_sum: 41,
  });
  expect(await told(limiter, 'decisions_total')).toEqual({
    'decisions_total{rule="auth_login",outcome="allowed",source="redis"}': 40,
    'decisions_total{rule="api_default",outcome="allowed",source="redis"}': 1,
  });
  expect(await told(limiter, 'replicas')).toEqual({ replicas: 1 });
  expect(await told(limiter, 'rules{')).toEqual({
    'rules{origin="live"}': 0,
    'rules{origin="file"}': 0,
    'rules{origin="built_in"}': 7,
  });
});

it('what is denied is told with who, and remembered', async () => {
  const redis = await ownRedis();
  const limiter = await service({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '10000' });
  const client = rateLimitClient(limiter, 'gRPC');
  for (let times = 0; times < 8; times += 1) {
    await client.checkLimit({ endpoint: 'auth_login', identifier: 'user:1' });
  }
  expect(await told(limiter, 'denial_cache_keys')).toEqual({ denial_cache_keys: 1 });
  expect(await told(limiter, 'top_denied_checks')).toEqual({
    'top_denied_checks{endpoint="auth_login",identifier="user:1"}': 3,
  });
  expect(await told(limiter, 'decisions_total')).toMatchObject({
    'decisions_total{rule="auth_login",outcome="denied",source="redis"}': 1,
    'decisions_total{rule="auth_login",outcome="denied",source="cache"}': 2,
  });
});

it('a key that something else lies under is an error of its own', async () => {
  const redis = await ownRedis();
  await using admin = inspect(redis.url);
  await admin.set('ratelimit:auth_login:{user:1}', 'foreign');
  const limiter = await service({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '10000' });
  const answer = await rateLimitClient(limiter, 'gRPC').checkLimit({
    endpoint: 'auth_login',
    identifier: 'user:1',
  });
  expect(answer.allowed).toBe(true);
  expect(await told(limiter, 'redis_errors')).toEqual({
    'redis_errors_total{reason="unavailable"}': 0,
    'redis_errors_total{reason="key_unusable"}': 1,
  });
  expect(await told(limiter, 'decisions_total')).toEqual({
    'decisions_total{rule="auth_login",outcome="allowed",source="fallback_local"}': 1,
  });
  expect(await told(limiter, 'fallback{')).toEqual({ 'fallback{shard=""}': 0 });
});

it('an outage is told while it lasts, and counted', async () => {
  const redis = await ownRedis();
  const limiter = await service({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '500' });
  const client = rateLimitClient(limiter, 'gRPC');
  const fallback = () => told(limiter, 'fallback');
  expect(await fallback()).toMatchObject({
    'fallback{shard=""}': 0,
    'fallback_changes_total{shard="",state="away"}': 0,
    'fallback_changes_total{shard="",state="back"}': 1,
  });
  redis.kill('SIGSTOP');
  const answer = await client.checkLimit({ endpoint: 'auth_login', identifier: 'user:1' });
  expect(answer.allowed).toBe(true);
  await expect.poll(fallback, { timeout: 3_000 }).toMatchObject({
    'fallback{shard=""}': 1,
    'fallback_changes_total{shard="",state="away"}': 1,
  });
  expect(await told(limiter, 'decisions_total')).toHaveProperty([
    'decisions_total{rule="auth_login",outcome="allowed",source="fallback_local"}',
  ]);
  redis.kill('SIGCONT');
  await expect.poll(fallback, { timeout: 5_000 }).toMatchObject({
    'fallback{shard=""}': 0,
    'fallback_changes_total{shard="",state="back"}': 2,
  });
  expect(
    (await told(limiter, 'redis_duration_seconds_count'))['redis_duration_seconds_count{script="settle"}'],
  ).toBeGreaterThan(0);
});

it('a rules file that can not be used after a change is counted, and the rules stay', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'optix-rule-metrics-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'rules.yaml');
  writeFileSync(file, 'rules:\n  - name: api_default\n    limits: [{ limit: 5, window: 1m }]\n');
  const limiter = await service({ RATELIMIT_RULES_FILE: file });
  expect(await told(limiter, 'rules_load')).toEqual({ rules_load_failures_total: 0 });
  writeFileSync(file, 'rules: nothing');
  await expect
    .poll(() => told(limiter, 'rules_load'), { timeout: 5_000 })
    .toEqual({ rules_load_failures_total: 1 });
  expect(await told(limiter, 'rules{')).toMatchObject({
    'rules{origin="file"}': 1,
    'rules{origin="live"}': 0,
  });
});
