import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from '../../../runtime/logger.ts';
import type { AuditLogDeps } from '../domain/audit/audit-log-deps.ts';
import { ChainVerifications } from '../domain/audit/verify-security-event-chain.ts';
import { SecurityEventWatch } from '../domain/audit/watch-security-events.ts';
import { EventSealer } from '../storage/audit/event-sealer.ts';
import { SealedEvents } from '../storage/audit/sealed-events.ts';
import { SealingQueue } from '../storage/audit/sealing-queue.ts';
import { StoredChain } from '../storage/audit/stored-chain.ts';
import { SecurityEventRepository } from '../storage/security-event-repository.ts';

/** The sealer, and what of the audit log does not need transactions. */
export interface Audit {
  /** To be told of commits that added events. */
  readonly sealer: Pick<EventSealer, 'wake'>;
  /** What the use cases work with, but for the transactions that wake the sealer. */
  readonly log: Omit<AuditLogDeps, 'unitOfWork' | 'sessions' | 'now'>;
}

/** Starts to seal what waits for it. */
export function startAudit(em: EntityManager, resources: AsyncDisposableStack, logger: Logger): Audit {
  const watch = new SecurityEventWatch(new SealedEvents(em));
  const sealer = resources.use(
    new EventSealer({
      em,
      onSealed: () => watch.wake(),
      onFailure: (error) => logger.error({ err: error }, 'security events could not be sealed'),
      onMissing: (ids) => logger.error({ events: ids }, 'security events were gone before they were sealed'),
      onSealedBefore: (ids) => logger.error({ events: ids }, 'security events had seals that no sealer made'),
    }),
  );
  const chain = new StoredChain(em);
  return {
    sealer,
    log: {
      events: new SecurityEventRepository(em),
      chain,
      sealing: new SealingQueue(em),
      verifications: new ChainVerifications(chain),
      watch,
    },
  };
}
