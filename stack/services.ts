import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { moduleUrl } from '../runtime/module-url.ts';
import { type DataDirectory, keptSecret } from './data-directory.ts';
import { type ServiceProcess, startService } from './service-process.ts';
import type { StackSettings } from './stack-settings.ts';
import type { OpenStore } from './stores.ts';

/** What a service may take to stop beyond the time-outs it is configured with. */
const DRAIN_MARGIN_MS = 5_000;

export interface ServicesContext {
  /** Where relative paths in settings begin. */
  directory: string;
  data: DataDirectory;
  settings: StackSettings;
  database: OpenStore;
  redis: OpenStore;
  /** The environment that settings beyond the stack's own are taken from. */
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
}

/** Starts the rate limiter as a child process. */
export function startRateLimitService(context: ServicesContext): ServiceProcess {
  // It knows nothing of identity's secrets.
  const {
    DATABASE_URL: _,
    IDENTITY_ENCRYPTION_KEY: __,
    ...env
  } = { ...context.env, ...stackVariables(context) };
  return start('ratelimit', context.settings.ratelimitHttpPort, env, context);
}

/** Starts identity as a child process, to ask the rate limiter of this stack. */
export function startIdentityService(context: ServicesContext): ServiceProcess {
  const env = { ...context.env, ...stackVariables(context) };
  return start('identity', context.settings.identityHttpPort, env, context);
}

/** The settings of both services that are this stack's own, whatever the environment says. */
export function stackVariables({ settings, database, redis, data, env }: ServicesContext): NodeJS.ProcessEnv {
  const variables: NodeJS.ProcessEnv = {
    ENVIRONMENT: settings.environment,
    BIND_ADDRESS: settings.bindAddress,
    IDENTITY_GRPC_PORT: String(settings.identityGrpcPort),
    IDENTITY_HTTP_PORT: String(settings.identityHttpPort),
    RATELIMIT_GRPC_PORT: String(settings.ratelimitGrpcPort),
    RATELIMIT_HTTP_PORT: String(settings.ratelimitHttpPort),
    RATELIMIT_ADDRESS: env['RATELIMIT_ADDRESS'] || `${settings.host}:${settings.ratelimitGrpcPort}`,
    DATABASE_URL: database.url ?? '',
    REDIS_URL: redis.url ?? '',
    // On this machine alone, and looked after over cleartext.
    TLS_CERT_FILE: '',
    TLS_KEY_FILE: '',
    TLS_CLIENT_CA_FILE: '',
    TLS_CLIENT_AUTH: '',
  };
  // Whoever tries things out has no mail server: mails become files that can be read.
  if (settings.environment === 'development' && !env['MAIL_URL']) {
    variables['MAIL_URL'] = pathToFileURL(join(data.path, 'mail')).href;
  }
  // The key belongs to the data it encrypts: a foreign database has its own, from whoever runs it.
  if (database.embedded) {
    variables['IDENTITY_ENCRYPTION_KEY'] =
      env['IDENTITY_ENCRYPTION_KEY'] || keptSecret(data, 'IDENTITY_ENCRYPTION_KEY');
  }
  return variables;
}

function start(
  name: string,
  httpPort: number,
  env: NodeJS.ProcessEnv,
  { directory, data, settings, say }: ServicesContext,
): ServiceProcess {
  return startService({
    name,
    main: fileURLToPath(moduleUrl(`../services/${name}/main`, import.meta.url)),
    cwd: directory,
    env,
    data,
    healthUrl: `http://${settings.host}:${httpPort}/health`,
    drainMs: settings.shutdownDelayMs + settings.shutdownTimeoutMs + DRAIN_MARGIN_MS,
    say,
  });
}
