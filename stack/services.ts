import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type DataDirectory, keptSecret } from './data-directory.ts';
import { type ServiceProcess, startService } from './service-process.ts';
import type { StackSettings } from './stack-settings.ts';
import type { OpenStore } from './stores.ts';

/** What a service may take to stop beyond the time-outs it is configured with. */
const DRAIN_MARGIN_MS = 5_000;

export interface ServicesContext {
  /** The directory that holds `services`. */
  checkout: string;
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
  const { settings } = context;
  // It knows nothing of identity's secrets.
  const { DATABASE_URL: _, IDENTITY_ENCRYPTION_KEY: __, ...env } = sharedEnvironment(context);
  return start('ratelimit', settings.ratelimitHttpPort, env, context);
}

/** Starts identity as a child process, to ask the rate limiter of this stack. */
export function startIdentityService(context: ServicesContext): ServiceProcess {
  const { settings, database, data, env } = context;
  const own: NodeJS.ProcessEnv = {
    DATABASE_URL: database.url,
    RATELIMIT_ADDRESS: env['RATELIMIT_ADDRESS'] || `${settings.host}:${settings.ratelimitGrpcPort}`,
  };
  // Whoever tries things out has no mail server: mails become files that can be read.
  if (settings.environment === 'development' && !env['MAIL_URL']) {
    own['MAIL_URL'] = pathToFileURL(join(data.path, 'mail')).href;
  }
  // The key belongs to the data it encrypts: a foreign database has its own, from whoever runs it.
  if (database.embedded) {
    own['IDENTITY_ENCRYPTION_KEY'] =
      env['IDENTITY_ENCRYPTION_KEY'] || keptSecret(data, 'IDENTITY_ENCRYPTION_KEY');
  }
  return start('identity', settings.identityHttpPort, { ...sharedEnvironment(context), ...own }, context);
}

function sharedEnvironment({ settings, redis, env }: ServicesContext): NodeJS.ProcessEnv {
  return {
    ...env,
    ENVIRONMENT: settings.environment,
    BIND_ADDRESS: settings.bindAddress,
    IDENTITY_GRPC_PORT: String(settings.identityGrpcPort),
    IDENTITY_HTTP_PORT: String(settings.identityHttpPort),
    RATELIMIT_GRPC_PORT: String(settings.ratelimitGrpcPort),
    RATELIMIT_HTTP_PORT: String(settings.ratelimitHttpPort),
    REDIS_URL: redis.url ?? '',
    // On this machine alone, and looked after over cleartext.
    TLS_CERT_FILE: '',
    TLS_KEY_FILE: '',
    TLS_CLIENT_CA_FILE: '',
    TLS_CLIENT_AUTH: '',
  };
}

function start(
  name: string,
  httpPort: number,
  env: NodeJS.ProcessEnv,
  { checkout, data, settings, say }: ServicesContext,
): ServiceProcess {
  return startService({
    name,
    main: join(checkout, 'services', name, 'main.ts'),
    cwd: checkout,
    env,
    data,
    healthUrl: `http://${settings.host}:${httpPort}/health`,
    drainMs: settings.shutdownDelayMs + settings.shutdownTimeoutMs + DRAIN_MARGIN_MS,
    say,
  });
}
