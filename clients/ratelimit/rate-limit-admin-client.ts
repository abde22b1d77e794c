import { type Client, createClient } from '@connectrpc/connect';
import { RateLimitAdminService } from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { createGrpcTransport, type GrpcTransportOptions } from '../grpc/grpc-transport.ts';

/** A typed client of the rate limiter's admin service. Dispose it to close its connection. */
export interface RateLimitAdminClient extends Client<typeof RateLimitAdminService>, Disposable {}

/**
 * Connects to a rate limiter over gRPC to steer it. Connects and fails as `createRateLimitClient` does.
 *
 * @throws TypeError when the API key has a character that a header can't carry
 *
 * @example
 * using admin = createRateLimitAdminClient({ address: 'localhost:50052' });
 * await admin.resetLimit({ endpoint: 'orders', identifier: 'user:4711' });
 */
export function createRateLimitAdminClient(options: GrpcTransportOptions): RateLimitAdminClient {
  const transport = createGrpcTransport(options);
  const client = createClient(RateLimitAdminService, transport);
  return Object.assign(client, { [Symbol.dispose]: () => transport[Symbol.dispose]() });
}
