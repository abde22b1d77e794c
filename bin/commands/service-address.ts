import { UsageError } from '../usage.ts';

/** Where a service's gRPC API is unless `--address` says: on this machine, or where the environment says. */
export const ADDRESSES = {
  identity: process.env['OPTIX_IDENTITY_ADDRESS']?.trim() || '127.0.0.1:50051',
  ratelimit: process.env['OPTIX_RATELIMIT_ADDRESS']?.trim() || '127.0.0.1:50052',
} as const;

/**
 * The address of the service that `--service` names; any, where `--address` is given in its place.
 *
 * @throws UsageError where it names none
 */
export function addressOf(
  command: string,
  { service, address }: { readonly service?: string | undefined; readonly address?: string | undefined },
): string {
  if (service === 'identity' || service === 'ratelimit') return address ?? ADDRESSES[service];
  if (service === undefined && address !== undefined) return address;
  throw new UsageError(`${command}: --service must be identity or ratelimit, or --address given`);
}
