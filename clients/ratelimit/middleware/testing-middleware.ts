import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { Algorithm, type LimitSchema } from '../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  RateLimitAdminService,
  RuleMode,
  StoreFailurePolicy,
} from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { startTestRateLimit } from '../../../testing/services.ts';
import { createLimiter } from '../create-limiter.ts';
import type { Limiter as FullLimiter } from '../limiter.ts';

type Limiter = Pick<FullLimiter, 'check' | 'refund' | 'peek'>;

/** A real rate limiter, and the client that middleware is given. */
export interface TestLimits extends AsyncDisposable {
  readonly limiter: Limiter;
  /** A client of a limiter that can't be reached. */
  away(whenUnreachable: 'allow' | 'deny' | 'throw'): Limiter;
  /** Adds a rule. @returns its endpoint */
  rule(...limits: MessageInitShape<typeof LimitSchema>[]): Promise<string>;
}

/** So many a minute, exactly. */
export function perMinute(limit: number): MessageInitShape<typeof LimitSchema> {
  return { limit, window: { seconds: 60n }, algorithm: Algorithm.SLIDING_WINDOW_LOG };
}

/** So many at one time. */
export function atOneTime(limit: number): MessageInitShape<typeof LimitSchema> {
  return { limit, window: { seconds: 60n }, algorithm: Algorithm.CONCURRENCY };
}

export async function startTestLimits(): Promise<TestLimits> {
  const resources = new AsyncDisposableStack();
  const service = resources.use(await startTestRateLimit());
  const admin = createClient(RateLimitAdminService, service.transport('gRPC'));
  // A busy machine must not make the tests count by the policy.
  const timeoutMs = 10_000;
  const limiter = resources.use(
    createLimiter({ address: service.grpcAddress, timeoutMs, whenUnreachable: 'throw' }),
  );
  return {
    limiter,
    // A port that nobody may listen on.
    away: (whenUnreachable) =>
      resources.use(createLimiter({ address: '127.0.0.1:1', timeoutMs, whenUnreachable })),
    async rule(...limits) {
      const name = `test.${randomUUID()}`;
      const onStoreFailure = StoreFailurePolicy.FAIL_LOCAL;
      const rule = { name, limits, mode: RuleMode.ENFORCED, bypassRoles: ['admin'], onStoreFailure };
      await admin.createRule({ rule });
      return name;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
