import { randomUUID } from 'node:crypto';
import { Code, createClient } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { RateLimitAdminService } from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { startRedis } from '../../stack/redis-server.ts';
import { failure, fieldsOf, reasonOf } from '../../testing/failure.ts';
import { testRedisUrl } from '../../testing/redis.ts';
import { rateLimitClient, startTestRateLimit, type TestService, TRANSPORTS } from '../../testing/services.ts';
import { killRedis } from './storage/testing-redis.ts';

const someone = () => `user:${randomUUID()}`;

/** Takes all of an `auth_login` limit, and sees it denied. */
async function exhaust(service: TestService, identifier: string): Promise<void> {
  const client = rateLimitClient(service, 'gRPC');
  for (let used = 0; used < 5; used += 1) await client.checkLimit({ endpoint: 'auth_login', identifier });
  expect((await client.checkLimit({ endpoint: 'auth_login', identifier })).allowed).toBe(false);
}

describe.each([
  ['Redis', () => ({ REDIS_URL: testRedisUrl() })],
  ['memory', () => ({})],
])('ResetLimit with counts in %s', (_, env) => {
  it.each(TRANSPORTS)('forgets what was consumed, for the next check, over %s', async (transport) => {
    await using service = await startTestRateLimit(env());
    const admin = createClient(RateLimitAdminService, service.transport(transport));
    const checks = rateLimitClient(service, transport);
    const [identifier, other] = [someone(), someone()];
    await exhaust(service, identifier);
    await exhaust(service, other);
    expect(await admin.resetLimit({ endpoint: 'auth_login', identifier })).toMatchObject({ reset: true });
    expect(await checks.checkLimit({ endpoint: 'auth_login', identifier })).toMatchObject({
      allowed: true,
      remaining: 4,
    });
    expect((await checks.checkLimit({ endpoint: 'auth_login', identifier: other })).allowed).toBe(false);
    expect(await admin.resetLimit({ endpoint: 'auth_mfa', identifier })).toMatchObject({ reset: false });
  });

  it.each(TRANSPORTS)('names the field that is out of bounds, over %s', async (transport) => {
    await using service = await startTestRateLimit(env());
    const admin = createClient(RateLimitAdminService, service.transport(transport));
    const error = await failure(admin.resetLimit({ endpoint: 'a b', identifier: '' }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(fieldsOf(error)).toEqual(['endpoint', 'identifier']);
  });
});

describe('ResetLimit', () => {
  it('holds on every replica, also where that remembers the denial', async () => {
    await using one = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    await using two = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    const identifier = someone();
    await exhaust(one, identifier);
    await exhaust(two, identifier);
    const admin = createClient(RateLimitAdminService, one.transport('gRPC'));
    await admin.resetLimit({ endpoint: 'auth_login', identifier });
    const next = async () =>
      (await rateLimitClient(two, 'gRPC').peekLimit({ check: { endpoint: 'auth_login', identifier } }))
        .decision;
    expect(await next()).toMatchObject({ allowed: true, remaining: 5 });
    const check = async () =>
      (await rateLimitClient(two, 'gRPC').checkLimit({ endpoint: 'auth_login', identifier })).allowed;
    await expect.poll(check, { timeout: 1_000, interval: 5 }).toBe(true);
  });

  it('says UNAVAILABLE where Redis is away', async () => {
    await using redis = await startRedis();
    await using service = await startTestRateLimit({ REDIS_URL: redis.url });
    const identifier = someone();
    await exhaust(service, identifier);
    await killRedis(redis);
    const admin = createClient(RateLimitAdminService, service.transport('gRPC'));
    const error = await failure(admin.resetLimit({ endpoint: 'auth_login', identifier }));
    expect(error.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toBe('STORE_UNAVAILABLE');
  });
});
