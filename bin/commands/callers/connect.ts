import type { Client } from '@connectrpc/connect';
import { CallerService } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import * as connection from '../call-service.ts';
import { addressOf } from '../service-address.ts';

/** Flags of each command that speaks to a service. */
export const CONNECTION_FLAGS = { ...connection.CONNECTION_FLAGS, service: { type: 'string' } } as const;

/** The end of the help of each. */
export const CALLERS_HELP = `  --service NAME        identity or ratelimit, on this machine
  --address H:P         where its gRPC API is, if not there
  --tls, --ca FILE      speak TLS; trust these certificates only
  --cert FILE           show this certificate; --cert-key FILE its private key
  --json                print JSON, as docs/api describes it

Calls with the API key in OPTIX_API_KEY, which needs the scope callers.admin.`;

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
  return await connection.callService(CallerService, addressOf('callers', { service, ...flags }), flags, use);
}
