import { networkOf } from '../attempt-limits.ts';
import { RateLimited } from '../errors.ts';
import type { IpAddress } from '../ip-address.ts';

/** Reads of networks that are locked out. Throws DatabaseUnavailable. */
export interface NetworkLocks {
  /** Null where the network is not locked out at `at`. */
  findLock(network: string, at: Date): Promise<Date | null>;
}

/**
 * Refuses a network that is locked out after too many failed sign-ins, before a password is looked at. Callers without a
 * known address share one network, as they do at the limiter.
 *
 * @throws RateLimited, DatabaseUnavailable
 */
export async function requireOpenNetwork(
  { networkLocks, now }: { readonly networkLocks: NetworkLocks; readonly now: () => Date },
  address: IpAddress | null,
): Promise<void> {
  const at = now();
  const until = await networkLocks.findLock(networkOf(address), at);
  if (until !== null) throw new RateLimited(Math.max(1, until.getTime() - at.getTime()));
}
