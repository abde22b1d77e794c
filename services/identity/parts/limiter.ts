import { createRateLimitClient } from '../../../clients/ratelimit/rate-limit-client.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { IdentityConfig } from '../config.ts';
import { type GatewayLimiter, LimiterClient, unlimited } from '../limiter-client.ts';
import { limiterTls } from '../limiter-tls-settings.ts';

/** What sign-ins are asked of, and requests that gateways ask about. Connects with the first call. */
export function openLimiter(
  config: IdentityConfig,
  resources: AsyncDisposableStack,
  logger: Logger,
): GatewayLimiter {
  if (!config.rateLimitEnabled) return unlimited;
  const client = resources.use(
    createRateLimitClient({
      address: config.rateLimitAddress,
      apiKey: config.rateLimitApiKey,
      tls: limiterTls(config),
    }),
  );
  return new LimiterClient({
    client,
    timeoutMs: config.rateLimitTimeoutMs,
    onUnavailable: config.rateLimitOnUnavailable,
    logger,
  });
}
