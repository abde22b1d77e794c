import { parseIpAddress } from '../../domain/ip-address.ts';
import type { RecordedSecurityEvent, Severity } from '../../domain/security-event.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { type TimestampText, toDate } from '../sql.ts';

/** A security event as SQL answers {@link EVENT_COLUMNS}. */
export interface EventColumns {
  id: Uuid;
  event_type: string;
  severity: Severity;
  description: string;
  user_id: Uuid | null;
  session_id: Uuid | null;
  device_id: string | null;
  device_fingerprint: string | null;
  ip_address: string | null;
  user_agent: string | null;
  metadata: Record<string, unknown>;
  created_at: TimestampText;
  resolved_at: TimestampText | null;
  resolved_by: string | null;
  resolution_note: string | null;
  sequence: string | null;
}

/** What an event is read by, from `security_events` under its own name. */
export const EVENT_COLUMNS = `id, event_type, severity, description, user_id, session_id, device_id, device_fingerprint,
  host(ip_address) as ip_address, user_agent, metadata, created_at, resolved_at, resolved_by, resolution_note,
  (select sequence from user_service.security_event_seals where event_id = security_events.id) as sequence`;

export function toEvent(row: EventColumns): RecordedSecurityEvent {
  const address = row.ip_address === null ? null : parseIpAddress(row.ip_address);
  return {
    id: row.id,
    type: row.event_type,
    severity: row.severity,
    description: row.description,
    userId: row.user_id,
    sessionId: row.session_id,
    device: {
      id: row.device_id,
      fingerprint: row.device_fingerprint,
      name: null,
      ipAddress: address?.ok === true ? address.value : null,
      userAgent: row.user_agent,
    },
    metadata: row.metadata,
    createdAt: toDate(row.created_at),
    sequence: row.sequence === null ? null : BigInt(row.sequence),
    resolution:
      row.resolved_at === null || row.resolved_by === null
        ? null
        : { at: toDate(row.resolved_at), by: row.resolved_by, note: row.resolution_note },
  };
}
