import { SecurityEventService } from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { type ServiceTable, serviceTable } from '../../../../runtime/service-table.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import type { RequestKeys } from '../request-key.ts';
import { getSecurityEvent } from './get-security-event.ts';
import { getSecurityEventChainHead } from './get-security-event-chain-head.ts';
import { listSecurityEvents } from './list-security-events.ts';
import { logSecurityEvent } from './log-security-event.ts';
import { resolveSecurityEvent } from './resolve-security-event.ts';
import { verifySecurityEventChain } from './verify-security-event-chain.ts';
import { watchSecurityEvents } from './watch-security-events.ts';

/** What SecurityEventService's handlers work with. */
export interface SecurityEventServiceContext {
  readonly auditLog: AuditLogDeps;
  readonly requestKeys: RequestKeys;
}

/** SecurityEventService and its handlers. */
export function securityEventTable(context: SecurityEventServiceContext): ServiceTable {
  return serviceTable(SecurityEventService, {
    logSecurityEvent: logSecurityEvent(context),
    getSecurityEvent: getSecurityEvent(context),
    listSecurityEvents: listSecurityEvents(context),
    watchSecurityEvents: watchSecurityEvents(context),
    resolveSecurityEvent: resolveSecurityEvent(context),
    verifySecurityEventChain: verifySecurityEventChain(context),
    getSecurityEventChainHead: getSecurityEventChainHead(context),
  });
}
