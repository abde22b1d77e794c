import type { MethodImpl } from '@connectrpc/connect';
import type { SecurityEventService } from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { callerOf } from '../../../../runtime/call-context.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import { resolveSecurityEvent as resolve } from '../../domain/audit/resolve-security-event.ts';
import { Fields } from '../fields.ts';
import { parseUuid } from '../identity/user-fields.ts';
import { parseNote } from './event-fields.ts';
import { securityEventMessage } from './security-event-message.ts';

/** optix.identity.v1.SecurityEventService/ResolveSecurityEvent */
export function resolveSecurityEvent({
  auditLog,
}: {
  readonly auditLog: Pick<AuditLogDeps, 'unitOfWork' | 'now'>;
}): MethodImpl<typeof SecurityEventService.method.resolveSecurityEvent> {
  return async (request, call) => {
    const fields = new Fields();
    const id = fields.take('id', parseUuid(request.id));
    const by = fields.take('resolved_by', parseNote(request.resolvedBy, { minBytes: 1, maxBytes: 128 }));
    const note = fields.take('note', parseNote(request.note, { minBytes: 0, maxBytes: 512 }));
    fields.check();
    const caller = callerOf(call)?.name ?? null;
    const resolved = await resolve(auditLog, { id, by, note: note === '' ? null : note, caller });
    return { event: securityEventMessage(resolved) };
  };
}
