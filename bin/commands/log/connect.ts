import type { Client } from '@connectrpc/connect';
import { OperationsService } from '../../../gen/optix/operations/v1/operations_service_pb.ts';
import { CONNECTION_FLAGS as COMMON, type ConnectionFlags, callService } from '../call-service.ts';
import { addressOf } from '../service-address.ts';

/** Flags of each action. */
export const CONNECTION_FLAGS = { ...COMMON, service: { type: 'string' } } as const;

/** The end of the help of each action. */
export const CONNECTION_HELP = `  --service NAME        identity or ratelimit, on this machine
  --address H:P         where its gRPC API is, if not there: of one process, each has settings of its own
  --tls, --ca FILE      speak TLS; trust these certificates only
  --cert FILE           show this certificate; --cert-key FILE its private key
  --json                print JSON, as docs/api describes it

Calls with the API key in OPTIX_API_KEY, which needs the scope operations.admin.`;

/**
 * Asks a process's OperationsService.
 *
 * @throws UsageError for flags that name no service or contradict each other; Error with the service's refusal, as one line
 */
export async function withOperations<T>(
  { service, ...flags }: ConnectionFlags & { readonly service?: string | undefined },
  use: (client: Client<typeof OperationsService>) => Promise<T>,
): Promise<T> {
  return await callService(OperationsService, addressOf('log', { service, ...flags }), flags, use);
}
