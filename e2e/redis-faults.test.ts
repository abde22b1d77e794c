import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DecisionSource } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { type RedisServer, startRedis } from '../stack/redis-server.ts';
import { watchHealth } from '../testing/health-watch.ts';
import { rateLimitClient, startTestRateLimit, type TestService } from '../testing/services.ts';

const { REDIS, FALLBACK_LOCAL, FALLBACK_OPEN, CACHE } = DecisionSource;

/** The time a check may wait for a Redis that hangs, with room for a busy machine. */
const BUDGET_MS = 50;
const SLACK_MS = 450;

interface Answer {
  readonly source: DecisionSource;
  readonly allowed: boolean;
  readonly remaining: number;
  readonly ms: number;
}

let redis: RedisServer;
let service: TestService;
beforeEach(async () => {
  redis = await startRedis();
  service = await startTestRateLimit({ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: String(BUDGET_MS) });
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  redis.kill('SIGKILL');
  await redis.stop();
});

async function check(endpoint: string, identifier: string): Promise<Answer> {
  const started = performance.now();
  const answer = await rateLimitClient(service, 'gRPC').checkLimit({ endpoint, identifier });
  const { source, allowed, remaining } = answer;
  return { source, allowed, remaining, ms: performance.now() - started };
}

async function checks(times: number, endpoint: string, identifier: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let time = 0; time < times; time += 1) answers.push(await check(endpoint, identifier));
  return answers;
}

/** Asks again and again, two at a time, until told to stop; answers what was answered. */
function keepAsking() {
  const answers: Answer[] = [];
  let stopped = false;
  const loop = async () => {
    while (!stopped) answers.push(await check('api_default', `user:${randomUUID()}`));
  };
  const loops = Promise.all([loop(), loop()]);
  return {
    answers,
    slowestMs: () => Math.max(...answers.map(({ ms }) => ms)),
    async stop() {
      stopped = true;
      await loops;
    },
  };
}

async function countsAgain(within = 2_000): Promise<void> {
  await expect
    .poll(async () => (await check('api_default', `user:${randomUUID()}`)).source, {
      timeout: within,
      interval: 20,
    })
    .toBe(REDIS);
}

/** A connection to do things to the server by. */
function operator(): Redis & Disposable {
  const client = new Redis(redis.url, { protocol: 2 });
  return Object.assign(client, { [Symbol.dispose]: () => client.disconnect() });
}

describe('the rate limiter, when Redis', () => {
  it('is killed (SIGKILL): answers every call by the rule, fast, tells health, and counts again once it is back', async () => {
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
    expect(await check('api_default', 'user:1')).toMatchObject({ source: FALLBACK_OPEN });

    const local = await checks(6, 'auth_login', `user:${randomUUID()}`);
    expect(local.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false]);
    expect(new Set(local.map(({ source }) => source))).toEqual(new Set([FALLBACK_LOCAL]));

    const restartedAt = performance.now();
    redis = await startRedis({ port: redis.port });
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('SERVING');
    expect((component.seen.at(-1)?.atMs ?? 0) - restartedAt).toBeLessThan(2000);
    await countsAgain();
    await asking.stop();
    expect((await service.get('/health')).status).toBe(200);

    // The service itself could answer all the time, so probes by its name never took it out.
    expect(rpcs.seen.map(({ status }) => status)).toEqual(['SERVING']);
    expect(asking.answers.every(({ allowed }) => allowed)).toBe(true);
    expect(asking.slowestMs()).toBeLessThan(BUDGET_MS + SLACK_MS);
  });

  it('hangs (SIGSTOP): waits no longer than its budget, once', async () => {
    await check('auth_login', 'user:1');
    redis.kill('SIGSTOP');
    const answers: Answer[] = [];
    for (let time = 0; time < 20; time += 1) answers.push(await check('auth_login', `user:${randomUUID()}`));
    redis.kill('SIGCONT');
    expect(answers.every(({ source }) => source === FALLBACK_LOCAL)).toBe(true);
    const slow = answers.filter(({ ms }) => ms >= BUDGET_MS - 5);
    // One, and what a busy machine adds; without a breaker it would be all of them.
    expect(slow.length).toBeLessThan(5);
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(BUDGET_MS + SLACK_MS);
    await countsAgain();
  });

  it('hangs, with a client that was denied before: goes on denying', async () => {
    await checks(5, 'auth_login', 'user:1');
    expect(await check('auth_login', 'user:1')).toMatchObject({ allowed: false, source: REDIS });
    expect(await check('auth_login', 'user:1')).toMatchObject({ allowed: false, source: CACHE });
    redis.kill('SIGSTOP');
    expect(await check('auth_login', 'user:1')).toMatchObject({ allowed: false, source: CACHE });
    redis.kill('SIGCONT');
  });

  it('forgets its scripts (SCRIPT FLUSH): nobody notices', async () => {
    using admin = operator();
    const asking = keepAsking();
    for (let time = 0; time < 20; time += 1) {
      await admin.script('FLUSH');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await asking.stop();
    expect(asking.answers.length).toBeGreaterThan(20);
    expect(asking.answers.every(({ source, allowed }) => allowed && source === REDIS)).toBe(true);
    expect((await checks(6, 'auth_login', 'user:1')).filter(({ allowed }) => allowed)).toHaveLength(5);
  });

  it('forgets everything (FLUSHALL): counts from nothing, at once', async () => {
    using admin = operator();
    await checks(4, 'auth_login', 'user:1');
    await admin.flushall();
    expect(await check('auth_login', 'user:1')).toMatchObject({ allowed: true, remaining: 4, source: REDIS });
  });

  it('drops all connections (CLIENT KILL), again and again: each call has its answer, and all is back soon', async () => {
    using admin = operator();
    const asking = keepAsking();
    for (let time = 0; time < 5; time += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    }
    await countsAgain();
    await asking.stop();
    const sources = new Set(asking.answers.map(({ source }) => source));
    expect([...sources].sort()).toEqual([REDIS, FALLBACK_OPEN].sort());
    expect(asking.answers.every(({ allowed }) => allowed)).toBe(true);
    expect(asking.slowestMs()).toBeLessThan(BUDGET_MS + SLACK_MS);
  });

  it('is made a replica (READONLY): falls back, tells health though it answers PING, and counts once it is promoted', async () => {
    using component = watchHealth(service.grpcAddress, 'redis');
    await expect.poll(() => component.last()).toBe('SERVING');
    using admin = operator();
    // What a fail-over leaves behind: the old primary, now a replica of somebody who is not there yet.
    await admin.replicaof('127.0.0.1', 1);
    expect(await check('auth_login', 'user:1')).toMatchObject({ source: FALLBACK_LOCAL, allowed: true });
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('NOT_SERVING');
    expect((await service.get('/health')).status).toBe(503);
    await admin.replicaof('NO', 'ONE');
    await expect.poll(() => component.last(), { timeout: 3000 }).toBe('SERVING');
    await countsAgain();
  });

  it('has something else under a key (WRONGTYPE): answers for that key by its rule, and counts all others', async () => {
    using component = watchHealth(service.grpcAddress, 'redis');
    await expect.poll(() => component.last()).toBe('SERVING');
    using admin = operator();
    await admin.set('ratelimit:auth_login:{user:1}', 'text');
    const [foreign, well] = await Promise.all([
      checks(6, 'auth_login', 'user:1'),
      checks(6, 'auth_login', 'user:2'),
    ]);
    expect(foreign.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false]);
    expect(foreign.every(({ source }) => source === FALLBACK_LOCAL)).toBe(true);
    expect(well.map(({ source }) => source)).toEqual(new Array(6).fill(REDIS));
    expect(component.seen.map(({ status }) => status)).toEqual(['SERVING']);
    expect(service.log.some(({ msg }) => String(msg).includes('can not be used for counting'))).toBe(true);
  });
});

describe('the rate limiter, started before its Redis', () => {
  it('opens its ports, says NOT_SERVING, answers by the rules, and turns SERVING when Redis comes', async () => {
    const first = await startRedis();
    const { port, url } = first;
    await first.stop();
    await using early = await startTestRateLimit({ REDIS_URL: url });
    using rpcs = watchHealth(early.grpcAddress, 'optix.ratelimit.v1.RateLimitService');
    await expect.poll(() => rpcs.last()).toBe('NOT_SERVING');
    const client = rateLimitClient(early, 'gRPC');
    const request = { endpoint: 'auth_login', identifier: 'user:1' };
    expect((await client.checkLimit(request)).source).toBe(FALLBACK_LOCAL);

    await using _redis = await startRedis({ port });
    await expect.poll(() => rpcs.last(), { timeout: 3000 }).toBe('SERVING');
    await expect.poll(async () => (await client.checkLimit(request)).source).toBe(REDIS);
  });
});
