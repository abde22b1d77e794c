import { type Client, createClient } from '@connectrpc/connect';
import { RateLimitService } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { createGrpcTransport, type GrpcTransportOptions } from '../grpc/grpc-transport.ts';

/** A typed client of the rate limiter. Dispose it to close its connection. */
export interface RateLimitClient extends Client<typeof RateLimitService>, Disposable {}

/**
 * Connects to a rate limiter over gRPC. The connection is made with the first call and made again whenever it is
 * lost; a call while the service is away fails with UNAVAILABLE at once.
 *
 * @example
 * using limiter = createRateLimitClient({ address: 'localhost:50052' });
 * const { allowed, retryAfter } = await limiter.checkLimit({ endpoint: 'orders', identifier: 'user:4711' });
 */
export function createRateLimitClient(options: GrpcTransportOptions): RateLimitClient {
  const transport = createGrpcTransport(options);
  const client = createClient(RateLimitService, transport);
  return Object.assign(client, { [Symbol.dispose]: () => transport[Symbol.dispose]() });
}
