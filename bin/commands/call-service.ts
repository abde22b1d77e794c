import { readFileSync } from 'node:fs';
import type { DescService } from '@bufbuild/protobuf';
import { type Client, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '../../clients/grpc/grpc-transport.ts';
import type { ClientTls } from '../../clients/grpc/tls-credentials.ts';
import { refusalText } from '../output/refusal-text.ts';
import { UsageError } from '../usage.ts';

/** Flags of each command that calls a running service. */
export const CONNECTION_FLAGS = {
  address: { type: 'string' },
  tls: { type: 'boolean' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  // Not `key`, which would be taken for the API key's.
  'cert-key': { type: 'string' },
} as const;

export interface ConnectionFlags {
  readonly address?: string | undefined;
  readonly tls?: boolean | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly 'cert-key'?: string | undefined;
}

/**
 * Does something with a service's gRPC API, by the API key in OPTIX_API_KEY, the certificate of the flags, or both.
 *
 * @param address where it is unless the flags say
 * @throws UsageError for flags that contradict each other; Error with the service's refusal, as one line;
 *   its cause is the ConnectError
 */
export async function callService<S extends DescService, T>(
  service: S,
  address: string,
  flags: ConnectionFlags,
  use: (client: Client<S>) => Promise<T>,
): Promise<T> {
  const target = flags.address ?? address;
  using transport = createGrpcTransport({
    address: target,
    // Not by a flag: every user of the machine can read those.
    apiKey: process.env['OPTIX_API_KEY']?.trim() || undefined,
    tls: clientTls(flags),
  });
  try {
    return await use(createClient(service, transport));
  } catch (error) {
    if (error instanceof ConnectError) throw new Error(refusalText(error, target), { cause: error });
    throw error;
  }
}

function clientTls({ tls, ca, cert, 'cert-key': key }: ConnectionFlags): ClientTls | true | undefined {
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('--cert and --cert-key must be given together');
  }
  const files = Object.entries({ ca, cert, key }).filter((entry) => entry[1] !== undefined);
  if (files.length === 0) return tls === true ? true : undefined;
  return Object.fromEntries(files.map(([name, file = '']) => [name, readFileSync(file)]));
}
