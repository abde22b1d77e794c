import type { AuditLogDeps } from './audit-log-deps.ts';
import type { ChainHead } from './chain.ts';
import type { SealingLag } from './sealing-lag.ts';

/**
 * The end of the chain at this moment, and how far it is behind the events.
 *
 * @throws DatabaseUnavailable
 */
export async function chainHead({
  chain,
  sealing,
}: Pick<AuditLogDeps, 'chain' | 'sealing'>): Promise<{ readonly head: ChainHead; readonly lag: SealingLag }> {
  const [head, lag] = await Promise.all([chain.head(), sealing.lag()]);
  return { head, lag };
}
