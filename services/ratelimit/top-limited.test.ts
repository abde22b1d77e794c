import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code, createClient } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import {
  type ListTopLimitedResponse,
  RateLimitAdminService,
  TopLimitedOrder,
} from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { failure, fieldsOf } from '../../testing/failure.ts';
import { testRedisUrl } from '../../testing/redis.ts';
import {
  rateLimitClient,
  startTestRateLimit,
  type TestService,
  TRANSPORTS,
  type TransportName,
} from '../../testing/services.ts';

function adminOf(service: TestService, transport: TransportName = 'gRPC') {
  return createClient(RateLimitAdminService, service.transport(transport));
}

async function checkTimes(service: TestService, endpoint: string, identifier: string, times: number) {
  const client = rateLimitClient(service, 'gRPC');
  for (let done = 0; done < times; done += 1) await client.checkLimit({ endpoint, identifier });
}

function rows({ entries }: ListTopLimitedResponse): readonly string[] {
  return entries.map(
    ({ endpoint, identifier, count, error }) => `${endpoint} ${identifier} ${count}-${error}`,
  );
}

describe('ListTopLimited', () => {
  it.each(TRANSPORTS)('ranks keys by denied checks, or by all, over %s', async (transport) => {
    const before = Date.now();
    await using service = await startTestRateLimit();
    await checkTimes(service, 'auth_login', 'ip:1', 9);
    await checkTimes(service, 'auth_register', 'ip:1', 4);
    await checkTimes(service, 'orders', 'user:1', 20);
    await rateLimitClient(service, 'gRPC').checkLimit({
      endpoint: 'orders',
      identifier: 'x',
      roles: ['admin'],
    });
    const admin = adminOf(service, transport);

    const denied = await admin.listTopLimited({});
    expect(rows(denied)).toEqual(['auth_login ip:1 4-0', 'auth_register ip:1 1-0']);
    expect(denied.replicas).toBe(1);
    const since = denied.sinceTime === undefined ? 0 : timestampMs(denied.sinceTime);
    expect(since).toBeGreaterThanOrEqual(before - 5);
    expect(since).toBeLessThanOrEqual(Date.now() + 5);

    const order = TopLimitedOrder.CHECKED;
    expect(rows(await admin.listTopLimited({ order }))).toEqual([
      'orders user:1 20-0',
      'auth_login ip:1 9-0',
      'auth_register ip:1 4-0',
    ]);
    expect(rows(await admin.listTopLimited({ order, pageSize: 1 }))).toEqual(['orders user:1 20-0']);
    expect(rows(await admin.listTopLimited({ order, endpoint: 'auth_login' }))).toEqual([
      'auth_login ip:1 9-0',
    ]);
    expect(rows(await admin.listTopLimited({ endpoint: 'orders' }))).toEqual([]);
  });

  it.each(TRANSPORTS)('names the field that is out of bounds, over %s', async (transport) => {
    await using service = await startTestRateLimit();
    const admin = adminOf(service, transport);
    for (const [request, fields] of [
      [{ pageSize: -1 }, ['page_size']],
      [{ pageSize: 1_001 }, ['page_size']],
      [{ endpoint: 'a b' }, ['endpoint']],
      [{ order: 9 as TopLimitedOrder }, ['order']],
    ] as const) {
      const error = await failure(admin.listTopLimited(request));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(fields);
    }
    expect(rows(await admin.listTopLimited({ pageSize: 1_000 }))).toEqual([]);
  });

  it('adds up what all replicas saw', async () => {
    await using one = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    await using two = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    await checkTimes(one, 'auth_login', 'ip:1', 7);
    await checkTimes(two, 'auth_login', 'ip:1', 3);
    for (const service of [one, two]) {
      const asked = async () => {
        const answer = await adminOf(service).listTopLimited({});
        return [answer.replicas, ...rows(answer)];
      };
      await expect.poll(asked, { timeout: 5_000 }).toEqual([2, 'auth_login ip:1 5-0']);
    }
  });
});
