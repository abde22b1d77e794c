import { freePort } from '../stack/ports.ts';
import { type Child, startScript, untilAnswering } from './process.ts';

/** Identity in a process of its own, so that its CPU is its own. */
export interface IdentityProcess extends Child {
  /** `host:port` of its gRPC port. */
  readonly address: string;
}

/**
 * Starts identity with these settings over the environment's, on free ports of the loopback. It asks no rate limiter, and
 * no Redis unless REDIS_URL is among the settings.
 */
export async function startIdentityProcess(env: NodeJS.ProcessEnv): Promise<IdentityProcess> {
  const [grpcPort, httpPort] = [String(await freePort()), String(await freePort())];
  const child = startScript(new URL('../services/identity/main.ts', import.meta.url).pathname, {
    ...process.env,
    REDIS_URL: '',
    RATE_LIMIT_ENABLED: 'false',
    LOG_LEVEL: 'fatal',
    ...env,
    IDENTITY_GRPC_PORT: grpcPort,
    IDENTITY_HTTP_PORT: httpPort,
  });
  await untilAnswering(`http://127.0.0.1:${httpPort}/health`);
  return { ...child, address: `127.0.0.1:${grpcPort}` };
}
