import { type Client, createClient } from '@connectrpc/connect';
import { RateLimitService } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { createGrpcTransport, type GrpcTransportOptions } from '../grpc/grpc-transport.ts';

/** A typed client of the rate limiter. Dispose it to close its connection. */
export interface RateLimitClient extends Client<typeof RateLimitService>, Disposable {}

/**
 * Connects to a rate limiter over gRPC. The connection is made with the first call and made again whenever it is
 * lost. A call fails with UNAVAILABLE where the connection is refused; where nothing answers at all, it waits until its
 * time-out.
 *
 * @throws TypeError when the API key has a character that a header can't carry
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
