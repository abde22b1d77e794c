import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { json } from 'node:stream/consumers';
import { readSettings, type SettingValues } from '../runtime/settings.ts';
import { tlsSettings } from '../runtime/tls-settings.ts';
import { settings as identity } from '../services/identity/config.ts';
import { settings as ratelimit } from '../services/ratelimit/config.ts';

/** How long a service may take to answer, in milliseconds. */
const TIMEOUT_MS = 3000;

/** Addresses that a service listens on for all others. */
const WILDCARDS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * What is wrong with the services that run here with this environment, one of them or both; undefined where those that
 * answer are fit to serve.
 *
 * A service is asked about itself, not about everything it watches: one that lives through the loss of a store must
 * not be taken out of service, or restarted, because the store is away.
 */
async function problem(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const {
    bindAddress,
    identity: one,
    ratelimit: other,
    ...tls
  } = readSettings(
    {
      bindAddress: identity.bindAddress,
      identity: identity.httpPort,
      ratelimit: ratelimit.httpPort,
      ...tlsSettings,
    },
    env,
  );
  const host = WILDCARDS[bindAddress] ?? bindAddress;
  const options = { host, path: '/health', ...tlsOptions(tls) };
  const answers = await Promise.allSettled(
    [one, other].map(async (port) => await servicesOf({ ...options, port }, tls.tlsCertFile !== undefined)),
  );
  const reached = answers.filter((answer) => answer.status === 'fulfilled').map(({ value }) => value);
  if (reached.length === 0) {
    const why =
      tls.tlsClientAuth === 'required' ? ', or TLS_CLIENT_CA_FILE does not vouch for TLS_CERT_FILE' : '';
    return `nothing answers at ${host} on ${one} or ${other}${why}`;
  }
  const away = reached.flatMap((services) =>
    Object.entries(services).filter(([, status]) => status !== 'SERVING'),
  );
  if (away.length > 0) return away.map(([name, status]) => `${name} is ${status}`).join(', ');
  return undefined;
}

/**
 * How TLS is spoken to the service. Its certificate is not verified: it is for the name that callers use, not for the address
 * asked here, which is one of this machine; nothing secret is sent, and whoever could answer in the service's place could
 * as well end it. Where the service asks for a certificate it is shown its own.
 */
function tlsOptions(tls: SettingValues<typeof tlsSettings>): https.RequestOptions {
  const { tlsClientAuth, tlsCertFile, tlsKeyFile } = tls;
  if (tlsClientAuth !== 'required' || tlsCertFile === undefined || tlsKeyFile === undefined) {
    return { rejectUnauthorized: false };
  }
  return { rejectUnauthorized: false, cert: readFileSync(tlsCertFile), key: readFileSync(tlsKeyFile) };
}

/** The RPC services behind a port and their states. */
async function servicesOf(
  options: https.RequestOptions,
  overTls: boolean,
): Promise<Readonly<Record<string, string>>> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    (overTls ? https : http).get({ ...options, signal, agent: false }, resolve).once('error', reject);
  });
  const { services } = (await json(response)) as { services: Readonly<Record<string, string>> };
  return services;
}

const found = await problem(process.env);
if (found !== undefined) {
  process.stderr.write(`${found}\n`);
  process.exitCode = 1;
}
