import { createRateLimitClient } from '../../../clients/ratelimit/rate-limit-client.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { IdentityConfig } from '../config.ts';
import { type GatewayLimiter, LimiterClient, unlimited } from '../limiter-client.ts';
import { limiterTls } from '../limiter-tls-settings.ts';
import { LimiterMetrics } from '../metrics/limiter-metrics.ts';

/** What sign-ins are asked of, and requests that gateways ask about. Connects with the first call. */
export function openLimiter(
  config: IdentityConfig,
  metrics: Metrics,
  resources: AsyncDisposableStack,
  logger: Logger,
): GatewayLimiter {
  const told = new LimiterMetrics(metrics);
  if (!config.rateLimitEnabled) return unlimited;
  const client = resources.use(
    createRateLimitClient({
      address: config.rateLimitAddress,
      apiKey: config.rateLimitApiKey,
      tls: limiterTls(config),
    }),
  );
  return new LimiterClient({
    client: told.timed(client),
    timeoutMs: config.rateLimitTimeoutMs,
    onUnavailable: config.rateLimitOnUnavailable,
    logger,
  });
}
