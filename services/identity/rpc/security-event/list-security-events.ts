import type { MethodImpl } from '@connectrpc/connect';
import type {
  ListSecurityEventsRequest,
  SecurityEventService,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import { listSecurityEvents as list } from '../../domain/audit/list-security-events.ts';
import type { SecurityEventFilter } from '../../domain/security-event.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { Fields } from '../fields.ts';
import { countThatFits } from './bounded-messages.ts';
import { takeEventFilter } from './event-filter.ts';
import { readPageToken, writePageToken } from './event-page-token.ts';
import { securityEventMessage } from './security-event-message.ts';

const MAX_PAGE_SIZE = 1_000;
const DEFAULT_PAGE_SIZE = 50;

/** optix.identity.v1.SecurityEventService/ListSecurityEvents */
export function listSecurityEvents({
  auditLog,
}: {
  readonly auditLog: Pick<AuditLogDeps, 'events' | 'sessions'>;
}): MethodImpl<typeof SecurityEventService.method.listSecurityEvents> {
  return async (request) => {
    const { filter, after, pageSize } = queryOf(request);
    const found = await list(auditLog, filter, after, pageSize);
    const messages = found.events.map(securityEventMessage);
    const count = countThatFits(messages);
    const next = count < messages.length ? (found.events[count - 1]?.id ?? null) : found.next;
    return {
      events: messages.slice(0, count),
      nextPageToken: next === null ? '' : writePageToken(filter, next),
    };
  };
}

function queryOf(request: ListSecurityEventsRequest): {
  readonly filter: SecurityEventFilter;
  readonly after: Uuid | null;
  readonly pageSize: number;
} {
  const { pageSize, pageToken } = request;
  const fields = new Fields();
  if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
    fields.add('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}`);
  }
  const filter = takeEventFilter(fields, request.filter);
  // What follows needs the filter to be right.
  fields.check();
  const after = pageToken === '' ? null : readPageToken(filter, pageToken);
  if (after === undefined) fields.add('page_token', 'is none of this list (INVALID_PAGE_TOKEN)');
  fields.check();
  return { filter, after: after ?? null, pageSize: pageSize || DEFAULT_PAGE_SIZE };
}
