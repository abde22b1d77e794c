import { AuthenticationService } from '../../gen/optix/identity/v1/authentication_service_pb.ts';
import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import { createLogger, type Logger } from '../../runtime/logger.ts';
import { type RunningService, startPorts } from '../../runtime/start-ports.ts';
import { readConfig, settings } from './config.ts';
import { createContext } from './context.ts';
import { ERROR_DOMAIN, toRpcError } from './errors.ts';
import { serviceTables } from './router.ts';

/** How long verifiers may go without asking for new keys. */
const JWKS_MAX_AGE_SECONDS = 300;

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
  const { ready } = context;
  return await startPorts({
    config,
    settings,
    context,
    logger,
    errorDomain: ERROR_DOMAIN,
    tables: serviceTables(context),
    rules: [],
    mapError: toRpcError,
    health: [IdentityService, AuthenticationService, TokenService].map(({ typeName }) => ({
      name: typeName,
      ready,
    })),
    http: {
      routes: {
        '/.well-known/jwks.json': {
          maxAgeSeconds: JWKS_MAX_AGE_SECONDS,
          answer: async () => await context.signingKeys.jwks(),
        },
      },
    },
  });
}
