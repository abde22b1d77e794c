import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import {
  type LogSecurityEventRequest,
  LogSecurityEventRequestSchema,
  type SecurityEventService,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { callerOf } from '../../../../runtime/call-context.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import { type ForeignEvent, logSecurityEvent as log } from '../../domain/audit/log-security-event.ts';
import { Fields } from '../fields.ts';
import { type RequestKeys, requestKeyOf } from '../request-key.ts';
import {
  parseForeignType,
  parseMetadata,
  parseNote,
  parseUuidOrNull,
  takeEventDevice,
} from './event-fields.ts';
import { parseSeverity } from './event-severity.ts';
import { securityEventMessage } from './security-event-message.ts';

interface Context {
  readonly auditLog: Pick<AuditLogDeps, 'unitOfWork' | 'events' | 'now'>;
  readonly requestKeys: RequestKeys;
}

/** optix.identity.v1.SecurityEventService/LogSecurityEvent */
export function logSecurityEvent(
  context: Context,
): MethodImpl<typeof SecurityEventService.method.logSecurityEvent> {
  return async (request, call) => ({
    event: securityEventMessage(await log(context.auditLog, eventOf(context, request, call))),
  });
}

function eventOf(context: Context, request: LogSecurityEventRequest, call: HandlerContext): ForeignEvent {
  const fields = new Fields();
  const event = {
    type: fields.take('type', parseForeignType(request.type)),
    severity: fields.take('severity', parseSeverity(request.severity)),
    description: fields.take('description', parseNote(request.description, { minBytes: 1, maxBytes: 512 })),
    userId: fields.take('user_id', parseUuidOrNull(request.userId)),
    sessionId: fields.take('session_id', parseUuidOrNull(request.sessionId)),
    device: takeEventDevice(fields, request.device),
    metadata: fields.take('metadata', parseMetadata(request.metadata)),
    caller: callerOf(call)?.name ?? null,
  };
  // What happens in a session is found by its user.
  if (event.sessionId !== null && event.userId === null) fields.add('user_id', 'must be set with session_id');
  fields.check();
  return { ...event, requestKey: requestKeyOf(context, call, LogSecurityEventRequestSchema, request) };
}
