import type { ChainedEvent } from '../../domain/audit/event-hash.ts';
import { type IpAddress, parseIpAddress } from '../../domain/ip-address.ts';
import { type TimestampText, toDate } from '../sql.ts';
import type { EventColumns } from './event-columns.ts';

/** A security event as SQL answers {@link CHAINED_EVENT_COLUMNS}. */
export interface ChainedEventColumns
  extends Omit<EventColumns, 'resolved_at' | 'resolved_by' | 'resolution_note' | 'sequence'> {
  personal_salt: Buffer | null;
  personal_hash: Buffer | null;
  created_at: TimestampText;
}

/**
 * What an event's hash is made of. The address with the length of its network, where it has one: no address that was
 * recorded has, so that adding one is a change.
 */
export const CHAINED_EVENT_COLUMNS = `id, event_type, severity, description, user_id, session_id, device_id,
  device_fingerprint, abbrev(ip_address) as ip_address, user_agent, metadata, created_at, personal_salt, personal_hash`;

export function toChainedEvent(row: ChainedEventColumns): ChainedEvent {
  return {
    id: row.id,
    type: row.event_type,
    severity: row.severity,
    description: row.description,
    userId: row.user_id,
    sessionId: row.session_id,
    metadata: row.metadata,
    createdAt: toDate(row.created_at),
    personal: {
      id: row.device_id,
      fingerprint: row.device_fingerprint,
      ipAddress: toAddress(row.ip_address),
      userAgent: row.user_agent,
    },
    personalSalt: row.personal_salt,
    personalHash: row.personal_hash,
  };
}

/** In the spelling that the digest is over. What is no address was not recorded: any text shows that. */
function toAddress(text: string | null): IpAddress | null {
  if (text === null) return null;
  const parsed = parseIpAddress(text);
  return parsed.ok ? parsed.value : (text as IpAddress);
}
