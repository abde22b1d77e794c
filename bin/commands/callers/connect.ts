import { readFileSync } from 'node:fs';
import { type Client, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '../../../clients/grpc/grpc-transport.ts';
import { CallerService } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { UsageError } from '../../usage.ts';

/** The gRPC ports that the services have unless told otherwise. */
const PORTS: Readonly<Record<string, number>> = { identity: 50_051, ratelimit: 50_052 };

/** Flags of each command that speaks to a service. */
export const CONNECTION_FLAGS = {
  service: { type: 'string' },
  address: { type: 'string' },
  tls: { type: 'boolean' },
  ca: { type: 'string' },
} as const;

export interface ConnectionFlags {
  readonly service?: string | undefined;
  readonly address?: string | undefined;
  readonly tls?: boolean | undefined;
  readonly ca?: string | undefined;
}

/**
 * Does something with a service's CallerService.
 *
 * @throws UsageError for flags that name no service; Error with the service's refusal, as one line
 */
export async function withCallerService<T>(
  { service, address, tls, ca }: ConnectionFlags,
  use: (client: Client<typeof CallerService>) => Promise<T>,
): Promise<T> {
  const port = Object.hasOwn(PORTS, service ?? '') ? PORTS[service ?? ''] : undefined;
  if (port === undefined && (service !== undefined || address === undefined)) {
    throw new UsageError('callers: --service must be identity or ratelimit');
  }
  using transport = createGrpcTransport({
    address: address ?? `127.0.0.1:${port}`,
    // Not by a flag: every user of the machine can read those.
    apiKey: process.env['OPTIX_API_KEY']?.trim() || undefined,
    ...(ca === undefined ? {} : { tls: { ca: readFileSync(ca) } }),
    ...(ca === undefined && tls === true ? { tls } : {}),
  });
  try {
    return await use(createClient(CallerService, transport));
  } catch (error) {
    if (error instanceof ConnectError) throw new Error(error.message);
    throw error;
  }
}
