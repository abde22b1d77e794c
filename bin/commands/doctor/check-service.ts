import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { json } from 'node:stream/consumers';
import type { TlsOptions } from '../../../runtime/tls-settings.ts';
import { Findings } from './finding.ts';
import { grpcHealth } from './grpc-health.ts';

/** How long a port may take to answer. */
const TIMEOUT_MS = 3000;
/** Addresses that a service listens on for all others. */
const WILDCARDS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Where a service of this environment listens. */
export interface ServicePorts {
  readonly bindAddress: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly tls: TlsOptions | undefined;
}

/** Asks both ports of a service for its health. Needs no credential. */
export async function checkService(
  name: 'identity' | 'ratelimit',
  { bindAddress, grpcPort, httpPort, tls }: ServicePorts,
): Promise<Findings> {
  const findings = new Findings(name);
  const host = WILDCARDS[bindAddress] ?? bindAddress;
  const inUrl = host.includes(':') ? `[${host}]` : host;
  const scheme = tls === undefined ? 'http' : 'https';
  const look = async (port: number, what: string, ask: (url: string) => Promise<void>) => {
    const place = `${inUrl}:${port} (${what}${tls === undefined ? '' : ', TLS'})`;
    try {
      await ask(`${scheme}://${inUrl}:${port}`);
      findings.ok(`${name} serves at ${place}`);
    } catch (error) {
      findings.add(
        'problem',
        `${name} at ${place}: ${reasonOf(error)}`,
        error instanceof NotServing
          ? 'what needs the store that is away fails, or is answered without it'
          : 'calls that go there fail',
        error instanceof NotServing
          ? 'look at its stores below, and at its log'
          : 'start it; if it runs elsewhere, run optix doctor there, or with its settings',
      );
    }
  };
  await look(grpcPort, 'gRPC', async (url) => {
    const status = await grpcHealth(url, clientTls(tls), TIMEOUT_MS);
    if (status !== 'SERVING') throw new NotServing(`it says ${status}`);
  });
  await look(httpPort, 'HTTP', async (url) => await httpHealth(`${url}/health`, clientTls(tls)));
  return findings;
}

class NotServing extends Error {}

/** @throws NotServing naming what is away; Error where there is no answer */
async function httpHealth(url: string, tls: https.RequestOptions): Promise<void> {
  const options = { ...tls, agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) };
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    (url.startsWith('https:') ? https : http).get(url, options, resolve).once('error', reject);
  });
  const { components = {} } = (await json(response)) as { components?: Record<string, { status?: string }> };
  if (response.statusCode === 200) return;
  const away = Object.entries(components).flatMap(([name, { status }]) =>
    status === 'NOT_SERVING' ? [name] : [],
  );
  throw new NotServing(`it is not well${away.length === 0 ? '' : ` (${away.join(', ')})`}`);
}

/** The certificate is for the name that callers use, so it is not verified here; nothing secret is sent. */
function clientTls(tls: TlsOptions | undefined) {
  if (tls?.clientAuth !== 'required') return { rejectUnauthorized: false };
  return { rejectUnauthorized: false, cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) };
}

function reasonOf(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'nothing answers';
  if (name === 'AbortError' || name === 'TimeoutError') return 'it does not answer in time';
  return message || code || 'it does not answer';
}
