import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Client, createClient } from '@connectrpc/connect';
import type { LimitSchema } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  RateLimitAdminService,
  RuleMode,
  StoreFailurePolicy,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import {
  DecisionSource,
  type RateLimitService,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { testRedisUrl } from '../../../../testing/redis.ts';
import {
  rateLimitClient,
  startTestRateLimit,
  type TestService,
  type TransportName,
} from '../../../../testing/services.ts';

/** What every RPC is tested on. A busy machine must not make the tests count by themselves instead of in Redis. */
export const STORES = [
  {
    store: 'Redis',
    source: DecisionSource.REDIS,
    env: () => ({ REDIS_URL: testRedisUrl(), REDIS_TIMEOUT_MS: '10000' }),
  },
  { store: 'memory', source: DecisionSource.MEMORY, env: () => ({}) },
] as const;

/** A running limiter, and rules made for one test. */
export interface TestLimiter extends AsyncDisposable {
  readonly service: TestService;
  client(transport?: TransportName): Client<typeof RateLimitService>;
  /** Adds a rule with these limits. @returns the endpoint it is for */
  rule(limits: readonly MessageInitShape<typeof LimitSchema>[], mode?: RuleMode): Promise<string>;
}

export async function startTestLimiter(env: Readonly<Record<string, string>>): Promise<TestLimiter> {
  const service = await startTestRateLimit(env);
  const admin = createClient(RateLimitAdminService, service.transport('gRPC'));
  return {
    service,
    client: (transport = 'gRPC') => rateLimitClient(service, transport),
    async rule(limits, mode = RuleMode.ENFORCED) {
      const name = `test.${randomUUID()}`;
      const onStoreFailure = StoreFailurePolicy.FAIL_LOCAL;
      await admin.createRule({ rule: { name, limits: [...limits], mode, onStoreFailure } });
      return name;
    },
    [Symbol.asyncDispose]: async () => await service[Symbol.asyncDispose](),
  };
}

/** Somebody who was never seen before. */
export function someone(): string {
  return `user:${randomUUID()}`;
}
