import { Code, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  RateLimitResponse_Code,
  RateLimitService,
} from '../../../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import type { RateLimitUnit } from '../../../../gen/envoy/type/v3/ratelimit_unit_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import { testRedisUrl } from '../../../../testing/redis.ts';
import { startTestRateLimit } from '../../../../testing/services.ts';
import { inspect } from '../../storage/testing-redis.ts';
import {
  descriptor,
  type EnvoyRequestInit,
  fresh,
  startTestEnvoy,
  type TestEnvoy,
  told,
} from '../../testing-envoy.ts';
import { STORES } from '../rate-limit/testing-limiter.ts';

const EDGE = `
domain: edge
descriptors:
  - { key: user, rate_limit: { unit: day, requests_per_unit: 3, name: by_user } }
  - { key: path, rate_limit: { unit: week, requests_per_unit: 10 } }
  - { key: none, rate_limit: { unit: day, requests_per_unit: 0 } }
  - { key: trial, shadow_mode: true, rate_limit: { unit: day, requests_per_unit: 1 } }
`;
const [{ env: onRedis }] = STORES;

describe('a request', () => {
  let envoy: TestEnvoy;
  beforeAll(async () => {
    envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, {});
  });
  afterAll(async () => {
    await envoy[Symbol.asyncDispose]();
  });

  const user = descriptor(['user=x']);
  it.each<[string, EnvoyRequestInit, string[]]>([
    ['an empty domain', { descriptors: [user] }, ['domain']],
    ['an oversized domain', { domain: 'd'.repeat(257), descriptors: [user] }, ['domain']],
    ['no descriptors', { domain: 'edge' }, ['descriptors']],
    [
      'too many descriptors',
      { domain: 'edge', descriptors: Array.from({ length: 65 }, () => user) },
      ['descriptors'],
    ],
    [
      'too many entries',
      { domain: 'edge', descriptors: [descriptor(Array.from({ length: 33 }, () => 'k=v'))] },
      ['descriptors[0].entries'],
    ],
    [
      'an empty key',
      { domain: 'edge', descriptors: [descriptor(['user=x', '=x'])] },
      ['descriptors[0].entries[1].key'],
    ],
    [
      'an oversized key',
      { domain: 'edge', descriptors: [descriptor([`${'k'.repeat(257)}=v`])] },
      ['descriptors[0].entries[0].key'],
    ],
    [
      'a limit without a unit',
      { domain: 'edge', descriptors: [{ ...user, limit: { requestsPerUnit: 1 } }] },
      ['descriptors[0].limit.unit'],
    ],
    [
      'a limit of an unknown unit',
      { domain: 'edge', descriptors: [{ ...user, limit: { unit: 99 as RateLimitUnit } }] },
      ['descriptors[0].limit.unit'],
    ],
  ])('with %s is refused, naming the field', async (_, request, fields) => {
    const error = await failure(envoy.client.shouldRateLimit(request));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(fieldsOf(error)).toEqual(fields);
  });

  it('has no headers unless they are asked for', async () => {
    const { responseHeadersToAdd } = await envoy.client.shouldRateLimit({
      domain: 'edge',
      descriptors: [user],
    });
    expect(responseHeadersToAdd).toEqual([]);
  });
});

it('is refused where there is no configuration', async () => {
  await using service = await startTestRateLimit();
  const client = createClient(RateLimitService, service.transport('gRPC'));
  const error = await failure(
    client.shouldRateLimit({ domain: 'edge', descriptors: [descriptor(['user=x'])] }),
  );
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(reasonOf(error)).toBe('ENVOY_NOT_CONFIGURED');
});

it('stops the start where the configuration is wrong, naming the place', async () => {
  const wrong = EDGE.replace('unit: week', 'unit: fortnight');
  await expect(startTestEnvoy({ 'edge.yaml': wrong }, {})).rejects.toThrow(
    /RATELIMIT_ENVOY_CONFIG .*edge\.yaml:5:\d+ .*unit/,
  );
});

it('lets all pass where limiting is off', async () => {
  await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, { RATE_LIMIT_ENABLED: 'false' });
  const answer = await envoy.client.shouldRateLimit({
    domain: 'edge',
    descriptors: [descriptor(['none=x']), descriptor(['user=x'])],
  });
  expect(told(answer)).toBe('OK: OK 0, OK 0');
});

it('answers over HTTP too', async () => {
  await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, {});
  const path = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
  const response = await fetch(envoy.service.httpUrl + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      domain: 'edge',
      descriptors: [{ entries: [{ key: 'none', value: 'x' }] }],
    }),
  });
  expect(await response.json()).toMatchObject({
    overallCode: 'OVER_LIMIT',
    statuses: [{ code: 'OVER_LIMIT', currentLimit: { unit: 'DAY' } }],
  });
});

it('answers a descriptor that is over from memory, until hits are given back', async () => {
  await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, onRedis());
  await using redis = inspect(testRedisUrl());
  const value = fresh();
  const ask = async (isNegativeHits = false) => {
    const descriptors = [descriptor([`user=${value}`], { isNegativeHits })];
    return told(await envoy.client.shouldRateLimit({ domain: 'edge', descriptors }));
  };
  for (let used = 0; used < 3; used += 1) expect(await ask()).toMatch(/^OK/);
  expect(await ask()).toBe('OVER: OVER 0');
  // Redis would let it pass now.
  expect(await redis.del(`ratelimit:envoy|edge:{user=${value}}:day~f`)).toBe(1);
  for (let times = 0; times < 5; times += 1) expect(await ask()).toBe('OVER: OVER 0');
  expect(await ask(true)).toBe('OK: OK 3');
  await expect.poll(() => ask()).toBe('OK: OK 2');
});

it('is answered by the setting while Redis is away; hits that are given back then are logged', async () => {
  const away = { REDIS_URL: 'redis://127.0.0.1:1', RATELIMIT_ENVOY_ON_STORE_FAILURE: 'FAIL_CLOSED' };
  await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, away);
  const ask = (isNegativeHits: boolean) =>
    envoy.client.shouldRateLimit({
      domain: 'edge',
      descriptors: [descriptor(['user=x'], { isNegativeHits }), descriptor(['trial=x'])],
    });
  expect(told(await ask(false))).toBe('OVER: OVER 0, OK 0');
  expect((await ask(true)).overallCode).toBe(RateLimitResponse_Code.OK);
  expect(envoy.service.log.map(({ msg }) => msg)).toContain(
    'hits that Envoy gives back stay until they run out',
  );
});

describe('statistics', () => {
  it('count hits by limit, as /metrics tells', async () => {
    await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, {});
    for (let times = 0; times < 4; times += 1) {
      const descriptors = [descriptor(['user=x']), descriptor(['trial=x'])];
      await envoy.client.shouldRateLimit({ domain: 'edge', descriptors });
    }
    const text = await (await fetch(`${envoy.service.httpUrl}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith('ratelimit_service_rate_limit_'));
    expect(lines.sort()).toEqual([
      'ratelimit_service_rate_limit_near_limit{key="edge.trial"} 1',
      'ratelimit_service_rate_limit_near_limit{key="edge.user"} 1',
      'ratelimit_service_rate_limit_over_limit{key="edge.trial"} 3',
      'ratelimit_service_rate_limit_over_limit{key="edge.user"} 1',
      'ratelimit_service_rate_limit_shadow_mode{key="edge.trial"} 3',
      'ratelimit_service_rate_limit_total_hits{key="edge.trial"} 4',
      'ratelimit_service_rate_limit_total_hits{key="edge.user"} 4',
      'ratelimit_service_rate_limit_within_limit{key="edge.trial"} 1',
      'ratelimit_service_rate_limit_within_limit{key="edge.user"} 3',
    ]);
  });

  it('are not told where metrics are off', async () => {
    await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, { METRICS: 'off' });
    expect((await fetch(`${envoy.service.httpUrl}/metrics`)).status).toBe(404);
  });
});
