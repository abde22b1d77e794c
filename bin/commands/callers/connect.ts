import type { Client } from '@connectrpc/connect';
import { CallerService } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { UsageError } from '../../usage.ts';
import * as connection from '../call-service.ts';

/** The gRPC ports that the services have unless told otherwise. */
const PORTS: Readonly<Record<string, number>> = { identity: 50_051, ratelimit: 50_052 };

/** Flags of each command that speaks to a service. */
export const CONNECTION_FLAGS = { ...connection.CONNECTION_FLAGS, service: { type: 'string' } } as const;

export interface ConnectionFlags extends connection.ConnectionFlags {
  readonly service?: string | undefined;
}

/**
 * Does something with a service's CallerService.
 *
 * @throws UsageError for flags that name no service or contradict each other; Error with the service's refusal, as one line
 */
export async function withCallerService<T>(
  { service, ...flags }: ConnectionFlags,
  use: (client: Client<typeof CallerService>) => Promise<T>,
): Promise<T> {
  const port = Object.hasOwn(PORTS, service ?? '') ? PORTS[service ?? ''] : undefined;
  if (port === undefined && (service !== undefined || flags.address === undefined)) {
    throw new UsageError('callers: --service must be identity or ratelimit');
  }
  return await connection.callService(CallerService, `127.0.0.1:${port}`, flags, use);
}
