import type { Client } from '@connectrpc/connect';
import { SecurityEventService } from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import { requestKeysFrom } from '../request-key.ts';
import { testClient } from '../testing-client.ts';
import { securityEventTable } from './security-event-table.ts';

/** The name of the backend that calls. */
export const CALLER = 'payments';

/** A client of SecurityEventService's handlers, behind the pipeline, that needs no port. */
export function securityEventClient(
  auditLog: AuditLogDeps,
  scopes?: readonly string[],
): Client<typeof SecurityEventService> {
  const table = securityEventTable({ auditLog, requestKeys: requestKeysFrom(new Uint8Array(32)) });
  return testClient(SecurityEventService, table, { name: CALLER, scopes });
}
