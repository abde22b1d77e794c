import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DecisionSource } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../testing/failure.ts';
import { testRedisUrl } from '../../testing/redis.ts';
import { rateLimitClient, startTestRateLimit, type TestService, TRANSPORTS } from '../../testing/services.ts';
import { STORES, someone } from './rpc/rate-limit/testing-limiter.ts';

const CHECK_LIMIT = '/optix.ratelimit.v1.RateLimitService/CheckLimit';

const [{ env: onRedis }] = STORES;

describe.each(STORES)('CheckLimit, counting in $store', ({ source, env }) => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestRateLimit(env());
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
  });

  describe.each(TRANSPORTS)('over %s', (transport) => {
    const client = () => rateLimitClient(service, transport);

    it.each([
      ['auth_login', 5],
      ['auth_register', 3],
      ['auth_refresh', 10],
      ['auth_mfa', 5],
      ['auth_password_reset', 3],
      ['auth_email_verification', 3],
      ['api_default', 100],
      ['anything.else:v1/orders', 100],
    ])('allows %s %i times a minute, and not once more', async (endpoint, limit) => {
      const identifier = someone();
      for (let used = 1; used <= limit; used += 1) {
        expect(await client().checkLimit({ endpoint, identifier })).toMatchObject({
          allowed: true,
          limit,
          remaining: limit - used,
          source,
          window: { seconds: 60n, nanos: 0 },
        });
      }
      const denial = await client().checkLimit({ endpoint, identifier });
      expect(denial).toMatchObject({ allowed: false, limit, remaining: 0, source });
      expect(Number(denial.retryAfter?.seconds)).toBeGreaterThanOrEqual(50);
      expect(Number(denial.retryAfter?.seconds)).toBeLessThan(60);
    });

    it('counts identifiers and endpoints apart', async () => {
      const identifier = someone();
      for (let used = 0; used < 5; used += 1)
        await client().checkLimit({ endpoint: 'auth_login', identifier });
      expect((await client().checkLimit({ endpoint: 'auth_login', identifier })).allowed).toBe(false);
      expect((await client().checkLimit({ endpoint: 'auth_mfa', identifier })).allowed).toBe(true);
      expect((await client().checkLimit({ endpoint: 'auth_login', identifier: someone() })).allowed).toBe(
        true,
      );
    });

    it('takes a cost, all or nothing', async () => {
      const check = { endpoint: 'auth_refresh', identifier: someone() };
      expect(await client().checkLimit({ ...check, cost: 7 })).toMatchObject({ allowed: true, remaining: 3 });
      expect(await client().checkLimit({ ...check, cost: 4 })).toMatchObject({
        allowed: false,
        remaining: 3,
      });
      expect(await client().checkLimit({ ...check, cost: 3 })).toMatchObject({ allowed: true, remaining: 0 });
    });

    it('reads a cost of 0 as 1', async () => {
      const check = { endpoint: 'auth_login', identifier: someone(), cost: 0 };
      expect((await client().checkLimit(check)).remaining).toBe(4);
    });

    it('names the rule that decided and its version', async () => {
      const own = await client().checkLimit({ endpoint: 'auth_login', identifier: someone() });
      const other = await client().checkLimit({ endpoint: 'orders', identifier: someone() });
      expect(own.rule).toBe('auth_login');
      expect(other.rule).toBe('api_default');
      expect(own.ruleVersion).toMatch(/^[0-9a-f]{16}$/);
      expect(own.ruleVersion).not.toBe(other.ruleVersion);
    });

    it('tells when the whole limit is back', async () => {
      const before = Date.now();
      const { resetTime } = await client().checkLimit({ endpoint: 'auth_login', identifier: someone() });
      const resetMs = resetTime === undefined ? 0 : timestampMs(resetTime);
      expect(resetMs).toBeGreaterThanOrEqual(before + 60_000 - 5);
      expect(resetMs).toBeLessThanOrEqual(Date.now() + 60_000 + 5);
    });

    it('lets admins pass uncounted, and says so', async () => {
      const check = { endpoint: 'auth_login', identifier: someone() };
      for (let times = 0; times < 10; times += 1) {
        expect(await client().checkLimit({ ...check, roles: ['user', 'admin'] })).toMatchObject({
          allowed: true,
          bypassed: true,
          limit: 5,
          remaining: 5,
          source: DecisionSource.BYPASS,
        });
      }
      expect(await client().checkLimit({ ...check, roles: ['user'] })).toMatchObject({
        bypassed: false,
        remaining: 4,
      });
    });

    it.each([
      ['an empty endpoint', { endpoint: '' }, ['endpoint']],
      ['an oversized endpoint', { endpoint: 'e'.repeat(129) }, ['endpoint']],
      ['an endpoint with a space', { endpoint: 'auth login' }, ['endpoint']],
      ['an endpoint with a brace', { endpoint: 'a{b}' }, ['endpoint']],
      ['an empty identifier', { identifier: '' }, ['identifier']],
      ['an oversized identifier', { identifier: 'ü'.repeat(129) }, ['identifier']],
      ['a control character', { identifier: 'user:\u0000' }, ['identifier']],
      ['a cost beyond the limit', { cost: 6 }, ['cost']],
      ['the largest cost', { cost: 4_294_967_295 }, ['cost']],
      ['too many roles', { roles: Array<string>(33).fill('r') }, ['roles']],
      ['a flood of empty roles', { roles: Array<string>(100_000).fill('') }, ['roles']],
      ['an empty role', { roles: ['user', ''] }, ['roles[1]']],
      ['several faults', { endpoint: '', identifier: '' }, ['endpoint', 'identifier']],
    ])('refuses %s with INVALID_ARGUMENT naming the field, and counts nothing', async (_, fault, fields) => {
      const check = { endpoint: 'auth_login', identifier: someone() };
      const error = await failure(client().checkLimit({ ...check, ...fault }));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(fields);
      expect((await client().checkLimit(check)).remaining).toBe(4);
    });

    it('takes the longest endpoint and identifier', async () => {
      const check = { endpoint: 'e'.repeat(128), identifier: someone().padEnd(256, 'ü').slice(0, 146) };
      expect(Buffer.byteLength(check.identifier)).toBe(251);
      expect((await client().checkLimit(check)).allowed).toBe(true);
    });
  });

  it('counts calls of both transports together', async () => {
    const check = { endpoint: 'auth_login', identifier: someone() };
    for (const transport of ['gRPC', 'HTTP', 'gRPC', 'HTTP', 'gRPC'] as const) {
      expect((await rateLimitClient(service, transport).checkLimit(check)).allowed).toBe(true);
    }
    expect((await rateLimitClient(service, 'HTTP').checkLimit(check)).allowed).toBe(false);
  });

  it('never allows more than the limit to callers at once, and leaves nothing unused', async () => {
    const check = { endpoint: 'api_default', identifier: someone() };
    const clients = TRANSPORTS.map((transport) => rateLimitClient(service, transport));
    const answers = await Promise.all(
      Array.from({ length: 240 }, async (_, turn) => await clients[turn % 2]?.checkLimit(check)),
    );
    expect(answers.filter((answer) => answer?.allowed === true)).toHaveLength(100);
  });
});

describe('the HTTP port', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestRateLimit(onRedis());
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
  });

  const check = async (body: unknown) =>
    await fetch(`${service.httpUrl}${CHECK_LIMIT}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('answers six sign-ins: five allowed, the sixth denied with Retry-After and the X-RateLimit headers', async () => {
    const identifier = someone();
    for (let used = 1; used <= 5; used += 1) {
      const { headers, status } = await check({ endpoint: 'auth_login', identifier });
      expect(status).toBe(200);
      expect(headers.get('x-ratelimit-limit')).toBe('5');
      expect(headers.get('x-ratelimit-remaining')).toBe(String(5 - used));
      expect(headers.get('retry-after')).toBeNull();
      expect(headers.get('x-ratelimit-bypass')).toBeNull();
    }
    const denial = await check({ endpoint: 'auth_login', identifier });
    expect(denial.status).toBe(200);
    expect(await denial.json()).toMatchObject({ allowed: false, limit: 5, remaining: 0 });
    expect(denial.headers.get('retry-after')).toMatch(/^(5\d|60)$/);
    expect(denial.headers.get('x-ratelimit-remaining')).toBe('0');
    const resetMs = Number(denial.headers.get('x-ratelimit-reset'));
    expect(resetMs).toBeGreaterThan(Date.now() + 50_000);
    expect(resetMs).toBeLessThanOrEqual(Date.now() + 60_100);
    expect(denial.headers.get('ratelimit-policy')).toBe('"auth_login";q=5;w=60');
    expect(denial.headers.get('ratelimit')).toMatch(/^"auth_login";r=0;t=(5\d|60)$/);
  });

  it('marks a bypass', async () => {
    const { headers } = await check({ endpoint: 'auth_login', identifier: someone(), roles: ['admin'] });
    expect(headers.get('x-ratelimit-bypass')).toBe('true');
  });

  it.each([
    ['a negative cost', { endpoint: 'a', identifier: 'b', cost: -1 }, 'cost'],
    ['a cost that is no number', { endpoint: 'a', identifier: 'b', cost: 'many' }, 'cost'],
    ['a cost beyond 32 bits', { endpoint: 'a', identifier: 'b', cost: 4_294_967_296 }, 'cost'],
    ['an endpoint that is no text', { endpoint: 7, identifier: 'b' }, 'endpoint'],
    ['a field that does not exist', { endpoint: 'a', identifier: 'b', weight: 2 }, 'weight'],
  ])('refuses %s, naming the field', async (_, body, field) => {
    const response = await check(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(field) as string,
    });
  });
});

describe('two replicas on one Redis', () => {
  it('count together', async () => {
    await using one = await startTestRateLimit(onRedis());
    await using two = await startTestRateLimit(onRedis());
    const check = { endpoint: 'api_default', identifier: someone() };
    const clients = [one, two].map((service) => rateLimitClient(service, 'gRPC'));
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, turn) => await clients[turn % 2]?.checkLimit(check)),
    );
    expect(answers.filter((answer) => answer?.allowed === true)).toHaveLength(100);
  });
});

describe('what is written to Redis', () => {
  it('has a time to live, and nothing is written by refused or bypassed checks', async () => {
    await using service = await startTestRateLimit(onRedis());
    const redis = new Redis(testRedisUrl());
    await redis.flushdb();
    const client = rateLimitClient(service, 'gRPC');
    await failure(client.checkLimit({ endpoint: '', identifier: 'x' }));
    const tooMuch = await failure(client.checkLimit({ endpoint: 'auth_login', identifier: 'x', cost: 6 }));
    expect(reasonOf(tooMuch)).toBe('COST_EXCEEDS_LIMIT');
    await client.checkLimit({ endpoint: 'auth_login', identifier: 'x', roles: ['admin'] });
    expect(await redis.keys('*auth_login*')).toEqual([]);

    await client.checkLimit({ endpoint: 'auth_login', identifier: 'user:4711' });
    expect(await redis.keys('*auth_login*')).toEqual(['ratelimit:auth_login:{user:4711}']);
    const ttlMs = await redis.pttl('ratelimit:auth_login:{user:4711}');
    expect(ttlMs).toBeGreaterThan(59_000);
    expect(ttlMs).toBeLessThan(75_000);
    redis.disconnect();
  });
});

describe('RATE_LIMIT_ENABLED=false', () => {
  it('allows everything and says that limiting is off', async () => {
    await using service = await startTestRateLimit({ RATE_LIMIT_ENABLED: 'false' });
    const client = rateLimitClient(service, 'gRPC');
    const check = { endpoint: 'auth_login', identifier: someone() };
    for (let times = 0; times < 8; times += 1) {
      expect(await client.checkLimit(check)).toMatchObject({
        allowed: true,
        limit: 0,
        source: DecisionSource.DISABLED,
      });
    }
  });
});
