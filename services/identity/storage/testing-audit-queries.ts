import type { EntityManager } from '@mikro-orm/postgresql';
import type { SecurityEventFilter } from '../domain/security-event.ts';
import { sealBatch } from './audit/seal-batch.ts';
import { SealedEvents } from './audit/sealed-events.ts';
import { SealingQueue } from './audit/sealing-queue.ts';
import { StoredChain } from './audit/stored-chain.ts';
import { ExpiredRowRepository } from './maintenance-expired-rows.ts';
import { MaintenanceRepository } from './maintenance-repository.ts';
import { SecurityEventRepository } from './security-event-repository.ts';
import { query } from './sql.ts';
import type { KnownRow } from './testing-queries.ts';
import { ArchivedUserRepository } from './users/user-archive.ts';

const at = new Date();
const before = new Date(at.getTime() - 100 * 24 * 3_600_000);
const any: SecurityEventFilter = {
  userId: null,
  types: [],
  minSeverity: null,
  createdFrom: null,
  createdBefore: null,
  sessionId: null,
  unresolved: false,
};

/** Calls that together send the statements of the audit log and of maintenance. */
export const auditCalls = (known: KnownRow): Record<string, (em: EntityManager) => Promise<unknown>> => {
  const list = (filter: Partial<SecurityEventFilter>) => (em: EntityManager) =>
    new SecurityEventRepository(em).list({ ...any, ...filter }, known.event ?? null, 50);
  return {
    'securityEvents.list': list({}),
    'securityEvents.list by user': list({ userId: known.user }),
    'securityEvents.list by user and type': list({ userId: known.user, types: ['login_failed'] }),
    'securityEvents.list by session': list({ userId: known.user, sessionId: known.session }),
    'securityEvents.list by types': list({ types: ['password_changed', 'login_failed'] }),
    'securityEvents.list by severity': list({ minSeverity: 'high' }),
    'securityEvents.list unresolved': list({ unresolved: true }),
    'securityEvents.list between': list({ createdFrom: before, createdBefore: at }),
    'audit.sealBatch': (em) =>
      query(
        em,
        `insert into user_service.security_event_queue (event_id) values (?) on conflict do nothing`,
        [known.event],
      ).then(() => sealBatch(em, 500)),
    'audit.lag': (em) => new SealingQueue(em).lag(),
    'audit.base': (em) => new StoredChain(em).base(),
    'audit.head': (em) => new StoredChain(em).head(),
    'audit.sealsAfter': (em) => new StoredChain(em).sealsAfter(100n, 500),
    'audit.eventsOf': (em) => new StoredChain(em).eventsOf([known.event]),
    'audit.placeAt': (em) => new SealedEvents(em).placeAt(100n),
    'audit.after': (em) => new SealedEvents(em).after(100n, { types: [], minSeverity: null }, 100),
    'maintenance.lead': (em) => new MaintenanceRepository(em).lead('replica', 30_000),
    'maintenance.register': (em) => new MaintenanceRepository(em).register(['partitions']),
    'maintenance.findDue': (em) => new MaintenanceRepository(em).findDue(['partitions']),
    'maintenance.status': (em) => new MaintenanceRepository(em).status(),
    'maintenance.deleteFamilies': (em) => new ExpiredRowRepository(em).deleteFamilies(before, 100),
    'maintenance.deleteExpiredDevices': (em) =>
      new ExpiredRowRepository(em).deleteExpiredDevices(before, 100),
    'maintenance.deleteChallenges': (em) => new ExpiredRowRepository(em).deleteChallenges(before, 100),
    'maintenance.deletePendingTotp': (em) => new ExpiredRowRepository(em).deletePendingTotp(before, 100),
    'archivedUsers.findDue': (em) => new ArchivedUserRepository(em).findDue(before, 100),
    'archivedUsers.erase': (em) => new ArchivedUserRepository(em).erase(known.user),
  };
};
