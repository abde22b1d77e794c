import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DecisionSource } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';
import { watchHealth } from '../testing/health-watch.ts';
import { rateLimitClient, startTestRateLimit, type TestService } from '../testing/services.ts';

/** The time a check may wait for a Redis that hangs, with room for a busy machine. */
const BUDGET_MS = 50;
const SLACK_MS = 450;

interface Answer {
  readonly source: DecisionSource;
  readonly allowed: boolean;
  readonly ms: number;
}

describe('the rate limiter, when Redis goes away under calls', () => {
  let redis: RedisServer;
  let service: TestService;
  beforeEach(async () => {
    redis = await startRedis();
    service = await startTestRateLimit({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: String(BUDGET_MS) });
  });
  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await redis.stop();
  });

  const check = async (endpoint: string, identifier: string): Promise<Answer> => {
    const started = performance.now();
    const { source, allowed } = await rateLimitClient(service, 'gRPC').checkLimit({ endpoint, identifier });
    return { source, allowed, ms: performance.now() - started };
  };

  /** Asks again and again, two at a time, until told to stop; answers what was answered. */
  const keepAsking = () => {
    const answers: Answer[] = [];
    let stopped = false;
    const loop = async () => {
      while (!stopped) answers.push(await check('api_default', `user:${randomUUID()}`));
    };
    const loops = Promise.all([loop(), loop()]);
    return {
      answers,
      async stop() {
        stopped = true;
        await loops;
      },
    };
  };

  it('answers every call by the rule, fast, tells health, and counts in Redis again once it is back', async () => {
    using whole = watchHealth(service.grpcAddress, '');
    using component = watchHealth(service.grpcAddress, 'redis');
    using rpcs = watchHealth(service.grpcAddress, 'optix.ratelimit.v1.RateLimitService');
    await expect.poll(() => component.last()).toBe('SERVING');
    const asking = keepAsking();
    await expect.poll(() => asking.answers.length).toBeGreaterThan(50);

    const killedAt = performance.now();
    redis.kill('SIGKILL');
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('NOT_SERVING');
    expect((component.seen.at(-1)?.atMs ?? 0) - killedAt).toBeLessThan(2000);
    expect(whole.last()).toBe('NOT_SERVING');
    expect((await service.get('/health')).status).toBe(503);
    expect((await service.get('/health/redis')).body).toMatchObject({ status: 'NOT_SERVING' });
    expect(await check('api_default', 'user:1')).toMatchObject({ source: DecisionSource.FALLBACK_OPEN });

    const identifier = `user:${randomUUID()}`;
    const local: Answer[] = [];
    for (let times = 0; times < 6; times += 1) local.push(await check('auth_login', identifier));
    expect(local.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false]);
    expect(new Set(local.map(({ source }) => source))).toEqual(new Set([DecisionSource.FALLBACK_LOCAL]));

    const restartedAt = performance.now();
    redis = await startRedis({ port: redis.port });
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('SERVING');
    expect((component.seen.at(-1)?.atMs ?? 0) - restartedAt).toBeLessThan(2000);
    await expect.poll(async () => (await check('api_default', 'user:1')).source).toBe(DecisionSource.REDIS);
    await asking.stop();
    expect((await service.get('/health')).status).toBe(200);

    // The service itself could answer all the time, so probes by its name never took it out.
    expect(rpcs.seen.map(({ status }) => status)).toEqual(['SERVING']);
    expect(asking.answers.every(({ allowed }) => allowed)).toBe(true);
    expect(Math.max(...asking.answers.map(({ ms }) => ms))).toBeLessThan(BUDGET_MS + SLACK_MS);
  });

  it('waits for a Redis that hangs no longer than its budget, once', async () => {
    await check('auth_login', 'user:1');
    redis.kill('SIGSTOP');
    const answers: Answer[] = [];
    for (let times = 0; times < 20; times += 1) {
      answers.push(await check('auth_login', `user:${randomUUID()}`));
    }
    redis.kill('SIGCONT');
    expect(answers.every(({ source }) => source === DecisionSource.FALLBACK_LOCAL)).toBe(true);
    const slow = answers.filter(({ ms }) => ms >= BUDGET_MS - 5);
    expect(slow.length).toBeLessThanOrEqual(1);
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(BUDGET_MS + SLACK_MS);
    await expect
      .poll(async () => (await check('auth_mfa', 'user:2')).source, { timeout: 2000 })
      .toBe(DecisionSource.REDIS);
  });
});

describe('the rate limiter on a Redis that takes no writes', () => {
  it('falls back, says that Redis is NOT_SERVING though it answers PING, and counts there once it can', async () => {
    await using redis = await startRedis();
    await using service = await startTestRateLimit({ REDIS_URL: redis.url });
    using component = watchHealth(service.grpcAddress, 'redis');
    await expect.poll(() => component.last()).toBe('SERVING');
    const operator = new Redis(redis.url);
    // What a fail-over leaves behind: the old primary, now a replica of somebody who is not there yet.
    await operator.replicaof('127.0.0.1', 1);
    const client = rateLimitClient(service, 'gRPC');
    const check = { endpoint: 'auth_login', identifier: 'user:1' };
    expect((await client.checkLimit(check)).source).toBe(DecisionSource.FALLBACK_LOCAL);
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('NOT_SERVING');
    expect((await service.get('/health')).status).toBe(503);

    await operator.replicaof('NO', 'ONE');
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('SERVING');
    await expect.poll(async () => (await client.checkLimit(check)).source).toBe(DecisionSource.REDIS);
    operator.disconnect();
  });
});

describe('the rate limiter, started before its Redis', () => {
  it('opens its ports, says NOT_SERVING, answers by the rules, and turns SERVING when Redis comes', async () => {
    const first = await startRedis();
    const { port, url } = first;
    await first.stop();
    await using service = await startTestRateLimit({ REDIS_URL: url });
    using rpcs = watchHealth(service.grpcAddress, 'optix.ratelimit.v1.RateLimitService');
    await expect.poll(() => rpcs.last()).toBe('NOT_SERVING');
    const client = rateLimitClient(service, 'gRPC');
    const check = { endpoint: 'auth_login', identifier: 'user:1' };
    expect((await client.checkLimit(check)).source).toBe(DecisionSource.FALLBACK_LOCAL);

    await using _redis = await startRedis({ port });
    await expect.poll(() => rpcs.last(), { timeout: 3000 }).toBe('SERVING');
    await expect.poll(async () => (await client.checkLimit(check)).source).toBe(DecisionSource.REDIS);
  });
});
