import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type RateLimitResponse,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { rateLimitClient } from '../../testing/services.ts';
import { STORES } from './rpc/rate-limit/testing-limiter.ts';
import { descriptor, fresh, startTestEnvoy, type TestEnvoy, told } from './testing-envoy.ts';
import { CASES, EDGE, MOST, OTHER, type Step } from './testing-envoy-cases.ts';

describe.each(STORES)('ShouldRateLimit, counting in $store', ({ env }) => {
  let envoy: TestEnvoy;
  beforeAll(async () => {
    envoy = await startTestEnvoy({ 'edge.yaml': EDGE, 'other.yml': OTHER, 'notes.txt': '?' }, env());
  });
  afterAll(async () => {
    await envoy[Symbol.asyncDispose]();
  });

  const ask = ({ domain = 'edge', hits = 0, of }: Step[0], value = fresh()): Promise<RateLimitResponse> =>
    envoy.client.shouldRateLimit({
      domain,
      hitsAddend: hits,
      descriptors: of.map((each) => {
        const [text, { hits: own, back = false, limit } = {}] = typeof each === 'string' ? [each] : each;
        return descriptor(text.replaceAll('$', value).split(/,(?=[a-z]+=)/), {
          isNegativeHits: back,
          ...(own !== undefined && { hitsAddend: BigInt(own) }),
          ...(limit && { limit: { requestsPerUnit: limit[0], unit: limit[1] } }),
        });
      }),
    });

  it.each(CASES)('knows $feature', async ({ steps }) => {
    const value = fresh();
    const answers = [];
    for (const [request] of steps) answers.push(told(await ask(request, value)));
    expect(answers).toEqual(steps.map(([, answer]) => answer));
  });

  it('says by which limit, and when its unit ends', async () => {
    const { statuses } = await ask({ of: ['address=$', 'user=$', 'unknown=$'] });
    expect(statuses).toMatchObject([
      { currentLimit: { requestsPerUnit: 2, unit: Unit.DAY, name: 'by_address' } },
      { currentLimit: { requestsPerUnit: 5, unit: Unit.MINUTE, name: 'auth_login' } },
      { limitRemaining: 0 },
    ]);
    expect(statuses[2]).not.toHaveProperty('currentLimit');
    expect(statuses[2]).not.toHaveProperty('durationUntilReset');
  });

  it.each([
    ['second', Unit.SECOND, 1],
    ['minute', Unit.MINUTE, 60],
    ['hour', Unit.HOUR, 3_600],
    ['week', Unit.WEEK, 7 * 86_400],
    ['month', Unit.MONTH, 30 * 86_400],
    ['year', Unit.YEAR, 365 * 86_400],
  ])('counts by the %s, from its multiples since 1970', async (key, unit, seconds) => {
    for (const hits of [undefined, 0]) {
      const { statuses } = await ask({ of: [[`${key}=$`, hits === undefined ? {} : { hits }]] });
      const now = Date.now();
      const [status] = statuses;
      expect(status?.currentLimit).toMatchObject({ unit, requestsPerUnit: 9 });
      const left = durationMs(status?.durationUntilReset ?? ({ seconds: -1n, nanos: 0 } as never));
      const expected = seconds * 1000 - (now % (seconds * 1000));
      // Of a unit that ended between the answer and now, all is left.
      const off = Math.abs(left - expected) % (seconds * 1000);
      expect(Math.min(off, seconds * 1000 - off)).toBeLessThan(250);
    }
  });

  it('shares the counts of a rule with CheckLimit', async () => {
    const value = fresh();
    await ask({ hits: 4, of: ['user=$'] }, value);
    const check = { endpoint: 'auth_login', identifier: `user:${value}` };
    const client = rateLimitClient(envoy.service, 'gRPC');
    expect(await client.checkLimit(check)).toMatchObject({ allowed: true, remaining: 0 });
    expect(told(await ask({ of: ['user=$'] }, value))).toBe('OVER: OVER 0');
  });

  it('admits exactly the limit of calls that come at once', async () => {
    const value = fresh();
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => ask({ of: ['path=$', 'unknown=$'] }, value)),
    );
    expect(answers.map(told).filter((each) => each.startsWith('OK'))).toHaveLength(5);
  });

  it('takes what is left exactly once where costs come at once', async () => {
    const value = fresh();
    const of = ['large=$'];
    await ask({ hits: MOST - 100, of }, value);
    await Promise.all(Array.from({ length: 20 }, () => ask({ hits: 30, of }, value)));
    expect(told(await ask({ of: [['large=$', { hits: 0 }]] }, value))).toBe('OVER: OVER 0');
    const back = { hits: 100, of: [['large=$', { back: true }]] as const };
    expect(told(await ask(back, value))).toBe('OK: OK 100');
  });
});

it('takes a changed file while it runs, and keeps what was counted', async () => {
  await using envoy = await startTestEnvoy({ 'edge.yaml': EDGE }, {});
  const value = fresh();
  const ask = async () =>
    told(
      await envoy.client.shouldRateLimit({ domain: 'edge', descriptors: [descriptor([`address=${value}`])] }),
    );
  expect(await ask()).toBe('OK: OK 1');
  const changed = EDGE.replace('requests_per_unit: 2, name: by_address', 'requests_per_unit: 1000');
  await writeFile(join(envoy.directory, 'edge.yaml'), changed);
  await expect.poll(ask, { timeout: 10_000 }).toMatch(/^OK: OK 99/);
});
