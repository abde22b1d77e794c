import type { SessionReads } from '../reads.ts';
import type { SecurityEventReads } from '../security-event.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { ChainSource } from './chain-source.ts';
import type { Sealing } from './sealing-lag.ts';
import type { ChainVerifications } from './verify-security-event-chain.ts';
import type { SecurityEventWatch } from './watch-security-events.ts';

/** What the audit log's use cases work with. */
export interface AuditLogDeps {
  readonly unitOfWork: UnitOfWork;
  readonly events: SecurityEventReads;
  /** To find whose session it is. */
  readonly sessions: Pick<SessionReads, 'find'>;
  readonly chain: Pick<ChainSource, 'head'>;
  readonly sealing: Sealing;
  readonly verifications: ChainVerifications;
  readonly watch: SecurityEventWatch;
  readonly now: () => Date;
}
