import { forwardAuthRoutes } from '../../runtime/forward-auth/forward-auth-routes.ts';
import { createLogger, type Logger } from '../../runtime/logger.ts';
import { type RunningService, startPorts } from '../../runtime/start-ports.ts';
import { openTracing } from '../../runtime/tracing/tracing.ts';
import { readConfig, settings } from './config.ts';
import { createContext, JWKS_MAX_AGE_SECONDS } from './context.ts';
import { ERROR_DOMAIN, toRpcError } from './errors.ts';
import { authorize } from './forward-auth/authorize.ts';
import { policy } from './policy.ts';
import { rules, SERVICES, serviceTables } from './router.ts';

/**
 * Starts identity with the settings of an environment.
 *
 * @throws InvalidSettings, ListenFailure
 */
export async function startIdentity(
  env: Readonly<Record<string, string | undefined>>,
  overrides: { readonly logger?: Logger } = {},
): Promise<RunningService> {
  const config = readConfig(env);
  const logger =
    overrides.logger ?? createLogger({ service: 'identity', level: config.logLevel, debug: config.debug });
  const context = await createContext(config, logger);
  const tracing = openTracing(config, 'optix-identity', logger, context.metrics);
  const { ready } = context;
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
    mapError: toRpcError,
    policy,
    audience: 'optix-identity',
    callerKeyStore: context.callerKeyStore,
    health: SERVICES.map(({ typeName: name }) => ({ name, ready })),
    http: {
      guardedRoutes: forwardAuthRoutes({ authorize: authorize(context), logger, errorDomain: ERROR_DOMAIN }),
      routes: {
        '/.well-known/jwks.json': {
          maxAgeSeconds: JWKS_MAX_AGE_SECONDS,
          answer: async () => await context.signingKeys.jwks(),
        },
      },
    },
  });
}
