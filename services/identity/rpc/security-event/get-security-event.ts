import type { MethodImpl } from '@connectrpc/connect';
import type { SecurityEventService } from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import { getSecurityEvent as get } from '../../domain/audit/get-security-event.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { securityEventMessage } from './security-event-message.ts';

/** optix.identity.v1.SecurityEventService/GetSecurityEvent */
export function getSecurityEvent({
  auditLog,
}: {
  readonly auditLog: Pick<AuditLogDeps, 'events'>;
}): MethodImpl<typeof SecurityEventService.method.getSecurityEvent> {
  return async (request) => {
    const fields = new Fields();
    const id = fields.take('id', parseUuid(request.id));
    fields.check();
    return { event: securityEventMessage(await get(auditLog, id)) };
  };
}
