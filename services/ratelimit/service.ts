import { rateLimitHeaderNames } from '../../clients/ratelimit/rate-limit-headers.ts';
import { RateLimitService as EnvoyRateLimitService } from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { RateLimitAdminService } from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { RateLimitService } from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { forwardAuthRoutes } from '../../runtime/forward-auth/forward-auth-routes.ts';
import { createLogger, type Logger } from '../../runtime/logger.ts';
import { type RunningService, startPorts } from '../../runtime/start-ports.ts';
import { openTracing } from '../../runtime/tracing/tracing.ts';
import { readConfig, settings } from './config.ts';
import { createContext } from './context.ts';
import { ERROR_DOMAIN, toRpcError } from './errors.ts';
import { authorize } from './forward-auth/authorize.ts';
import { policy } from './policy.ts';
import { rateLimitHeadersInterceptor } from './rate-limit-headers-interceptor.ts';
import { rules, serviceTables } from './router.ts';
import { toWatchRpcError } from './rpc/rate-limit-admin/watch-decisions.ts';
import { toRuleRpcError } from './rule-errors.ts';

/**
 * Starts the rate limiter with the settings of an environment.
 *
 * @throws InvalidSettings, ListenFailure
 */
export async function startRateLimit(
  env: Readonly<Record<string, string | undefined>>,
  overrides: { readonly logger?: Logger } = {},
): Promise<RunningService> {
  const config = readConfig(env);
  const logger =
    overrides.logger ?? createLogger({ service: 'ratelimit', level: config.logLevel, debug: config.debug });
  const context = await createContext(config, logger);
  const tracing = openTracing(config, 'optix-ratelimit', logger, context.metrics);
  return await startPorts({
    config,
    settings,
    context,
    logger,
    metrics: context.metrics,
    tracing,
    errorDomain: ERROR_DOMAIN,
    tables: serviceTables(context),
    rules,
    mapError: (error) => toRpcError(error) ?? toRuleRpcError(error) ?? toWatchRpcError(error, ERROR_DOMAIN),
    policy,
    audience: 'optix-ratelimit',
    callerKeyStore: context.callerKeyStore,
    health: [RateLimitService, RateLimitAdminService, EnvoyRateLimitService].map(({ typeName: name }) => ({
      name,
      ready: context.ready,
    })),
    http: {
      guardedRoutes: forwardAuthRoutes({ authorize: authorize(context), logger, errorDomain: ERROR_DOMAIN }),
      interceptors: [rateLimitHeadersInterceptor],
      exposedHeaders: rateLimitHeaderNames,
    },
  });
}
