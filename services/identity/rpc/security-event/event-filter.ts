import type { Timestamp } from '@bufbuild/protobuf/wkt';
import type { SecurityEventFilter as FilterMessage } from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import type { SecurityEventFilter } from '../../domain/security-event.ts';
import type { Fields } from '../fields.ts';
import { parseTimestamp } from '../identity/user-fields.ts';
import { parseTypes, parseUuidOrNull } from './event-fields.ts';
import { parseMinSeverity } from './event-severity.ts';

const ALL: SecurityEventFilter = {
  userId: null,
  types: [],
  minSeverity: null,
  createdFrom: null,
  createdBefore: null,
  sessionId: null,
  unresolved: false,
};

/** Which events a request is about; all where it has no filter. */
export function takeEventFilter(fields: Fields, message: FilterMessage | undefined): SecurityEventFilter {
  if (message === undefined) return ALL;
  return {
    userId: fields.take('filter.user_id', parseUuidOrNull(message.userId)),
    types: fields.take('filter.types', parseTypes(message.types)),
    minSeverity: fields.take('filter.min_severity', parseMinSeverity(message.minSeverity)),
    createdFrom: takeMoment(fields, 'filter.start_time', message.startTime),
    createdBefore: takeMoment(fields, 'filter.end_time', message.endTime),
    sessionId: fields.take('filter.session_id', parseUuidOrNull(message.sessionId)),
    unresolved: message.unresolved,
  };
}

function takeMoment(fields: Fields, field: string, moment: Timestamp | undefined): Date | null {
  return moment === undefined ? null : fields.take(field, parseTimestamp(moment));
}
