import { readSettings } from '../runtime/settings.ts';
import { settings as identity } from '../services/identity/config.ts';
import { settings as ratelimit } from '../services/ratelimit/config.ts';

/** How long a service may take to answer, in milliseconds. */
const TIMEOUT_MS = 3000;

/** Addresses that a service listens on for all others. */
const WILDCARDS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' };

/**
 * What is wrong with the services that run here with this environment, one of them or both; undefined where those that
 * answer are fit to serve.
 *
 * A service is asked about itself, not about everything it watches: one that lives through the loss of a store must
 * not be taken out of service, or restarted, because the store is away.
 */
async function problem(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const { bindAddress, ...ports } = readSettings(
    { bindAddress: identity.bindAddress, identity: identity.httpPort, ratelimit: ratelimit.httpPort },
    env,
  );
  const host = WILDCARDS[bindAddress] ?? (bindAddress.includes(':') ? `[${bindAddress}]` : bindAddress);
  const answers = await Promise.allSettled(
    [ports.identity, ports.ratelimit].map(async (port) => await servicesOf(`http://${host}:${port}/health`)),
  );
  const reached = answers.filter((answer) => answer.status === 'fulfilled').map(({ value }) => value);
  if (reached.length === 0) return `nothing answers at ${host} on ${ports.identity} or ${ports.ratelimit}`;
  const away = reached.flatMap((services) =>
    Object.entries(services).filter(([, status]) => status !== 'SERVING'),
  );
  if (away.length > 0) return away.map(([name, status]) => `${name} is ${status}`).join(', ');
  return undefined;
}

/** The RPC services behind a port and their states. */
async function servicesOf(url: string): Promise<Readonly<Record<string, string>>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const { services } = (await response.json()) as { services: Readonly<Record<string, string>> };
  return services;
}

const found = await problem(process.env);
if (found !== undefined) {
  process.stderr.write(`${found}\n`);
  process.exitCode = 1;
}
