import type { Client } from '@connectrpc/connect';
import { RateLimitAdminService } from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { RateLimitService } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { type ConnectionFlags, callService } from './call-service.ts';
import { ADDRESSES } from './service-address.ts';

/** What the help of each command that calls ratelimit ends with. */
export const RATE_LIMIT_CONNECTION_HELP = `  --address H:P       where ratelimit's gRPC API is (${ADDRESSES.ratelimit})
  --tls, --ca FILE    speak TLS; trust these certificates only
  --cert FILE         show this certificate
  --cert-key FILE     its private key

The API key is taken from OPTIX_API_KEY.`;

/** Asks the limiter. Fails as callService does. */
export async function withLimiter<T>(
  flags: ConnectionFlags,
  use: (limiter: Client<typeof RateLimitService>) => Promise<T>,
): Promise<T> {
  return await callService(RateLimitService, ADDRESSES.ratelimit, flags, use);
}

/** Steers the limiter. Fails as callService does. */
export async function withLimiterAdmin<T>(
  flags: ConnectionFlags,
  use: (admin: Client<typeof RateLimitAdminService>) => Promise<T>,
): Promise<T> {
  return await callService(RateLimitAdminService, ADDRESSES.ratelimit, flags, use);
}
