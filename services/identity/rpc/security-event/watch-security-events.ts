import { create } from '@bufbuild/protobuf';
import type { MethodImpl } from '@connectrpc/connect';
import {
  type SecurityEventService,
  type WatchSecurityEventsRequest,
  type WatchSecurityEventsResponse,
  WatchSecurityEventsResponseSchema,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import type { EventSelection } from '../../domain/audit/sealed-log.ts';
import { readWatchCursor, writeWatchCursor } from '../../domain/audit/watch-cursor.ts';
import type { WatchPart, WatchStart } from '../../domain/audit/watch-security-events.ts';
import { Fields } from '../fields.ts';
import { countThatFits } from './bounded-messages.ts';
import { parseTypes } from './event-fields.ts';
import { parseMinSeverity } from './event-severity.ts';
import { securityEventMessage } from './security-event-message.ts';

/** optix.identity.v1.SecurityEventService/WatchSecurityEvents */
export function watchSecurityEvents({
  auditLog,
}: {
  readonly auditLog: Pick<AuditLogDeps, 'watch'>;
}): MethodImpl<typeof SecurityEventService.method.watchSecurityEvents> {
  return async function* (request, { signal }) {
    const { start, selection } = queryOf(request);
    for await (const part of auditLog.watch.watch(start, selection, signal)) yield* messagesOf(part);
  };
}

function queryOf(request: WatchSecurityEventsRequest): {
  readonly start: WatchStart | 'beginning' | 'end';
  readonly selection: EventSelection;
} {
  const { cursor, fromBeginning } = request;
  const fields = new Fields();
  const from = cursor === '' ? null : readWatchCursor(cursor);
  if (from === undefined) fields.add('cursor', 'is not one that WatchSecurityEvents has given');
  if (cursor !== '' && fromBeginning) fields.add('from_beginning', 'must not be set with a cursor');
  const selection = {
    types: fields.take('types', parseTypes(request.types)),
    minSeverity: fields.take('min_severity', parseMinSeverity(request.minSeverity)),
  };
  fields.check();
  return { start: from ?? (fromBeginning ? 'beginning' : 'end'), selection };
}

/** One message, unless the events are too many for it. */
function* messagesOf({ entries, place }: WatchPart): Generator<WatchSecurityEventsResponse> {
  let left = entries.map((entry) => ({ place: entry.place, message: securityEventMessage(entry.event) }));
  do {
    const count = countThatFits(left.map(({ message }) => message));
    const told = left.slice(0, count);
    left = left.slice(count);
    yield create(WatchSecurityEventsResponseSchema, {
      events: told.map(({ message }) => message),
      cursor: writeWatchCursor(left.length === 0 ? place : (told.at(-1)?.place ?? place)),
    });
  } while (left.length > 0);
}
