import type { EntityManager } from '@mikro-orm/postgresql';
import { parseIpAddress } from '../domain/ip-address.ts';
import { newPersonalSalt, personalDigest } from '../domain/personal-digest.ts';
import type {
  RecordedSecurityEvent,
  Resolution,
  SecurityEvent,
  SecurityEventPage,
  SecurityEvents,
  Severity,
} from '../domain/security-event.ts';
import type { Uuid } from '../domain/uuid.ts';
import { query, type TimestampText, toDate } from './sql.ts';

/** Events of one statement of an erasure: far below the statement time-out, and few row locks at once. */
const ERASE_BATCH = 5000;
/** Before every id when read from the newest on: RFC 9562 section 5.10. */
const MAX_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** Before every id when read from the oldest on. */
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const COLUMNS = `id, event_type, severity, description, user_id, session_id, device_id, device_fingerprint,
  host(ip_address) as ip_address, user_agent, metadata, created_at, resolved_at, resolved_by, resolution_note`;

interface EventColumns {
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
}

/** The audit log in PostgreSQL. */
export class SecurityEventRepository implements SecurityEvents {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async append(event: SecurityEvent): Promise<void> {
    const { device } = event;
    const salt = newPersonalSalt();
    await query(
      this.#em,
      `insert into user_service.security_events
         (id, event_type, severity, description, user_id, session_id, device_id, device_fingerprint, ip_address,
          user_agent, metadata, created_at, personal_salt, personal_hash)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        event.id,
        event.type,
        event.severity,
        event.description,
        event.userId,
        event.sessionId,
        device.id,
        device.fingerprint,
        device.ipAddress,
        device.userAgent,
        JSON.stringify(event.metadata),
        event.createdAt,
        salt,
        personalDigest(salt, device),
      ],
    );
  }

  async findById(id: Uuid): Promise<RecordedSecurityEvent | null> {
    const [row] = await query<EventColumns>(
      this.#em,
      `select ${COLUMNS} from user_service.security_events where id = ?`,
      [id],
    );
    return row === undefined ? null : toEvent(row);
  }

  async listByUser(userId: Uuid, { before, limit }: SecurityEventPage): Promise<RecordedSecurityEvent[]> {
    return await this.#list('user_id = ?', userId, { before, limit });
  }

  async listByType(type: string, { before, limit }: SecurityEventPage): Promise<RecordedSecurityEvent[]> {
    return await this.#list('event_type = ?', type, { before, limit });
  }

  async #list(condition: string, value: string, { before, limit }: SecurityEventPage) {
    const rows = await query<EventColumns>(
      this.#em,
      `select ${COLUMNS} from user_service.security_events where ${condition} and id < ? order by id desc limit ?`,
      [value, before ?? MAX_UUID, limit],
    );
    return rows.map(toEvent);
  }

  async listUnresolved({ before, limit }: SecurityEventPage): Promise<RecordedSecurityEvent[]> {
    // A severity each, so that the index, which starts with it, gives both in their order.
    const ofSeverity = (severity: Severity) =>
      `(select ${COLUMNS} from user_service.security_events
        where not resolved and severity = '${severity}' and id < ? order by id desc limit ?)`;
    const bound = [before ?? MAX_UUID, limit];
    const rows = await query<EventColumns>(
      this.#em,
      `${ofSeverity('high')} union all ${ofSeverity('critical')} order by id desc limit ?`,
      [...bound, ...bound, limit],
    );
    return rows.map(toEvent);
  }

  async resolve(id: Uuid, { at, by, note }: Resolution): Promise<RecordedSecurityEvent | null> {
    const [row] = await query<EventColumns>(
      this.#em,
      `update user_service.security_events
       set resolved = true, resolved_at = ?, resolved_by = ?, resolution_note = ?
       where id = ? and not resolved returning ${COLUMNS}`,
      [at, by, note, id],
    );
    return row === undefined ? null : toEvent(row);
  }

  async erasePersonal(userId: Uuid): Promise<number> {
    let erased = 0;
    let after: Uuid | null = null;
    for (;;) {
      const last: Uuid | null = await this.#endOfBatch(userId, after);
      if (last === null) return erased;
      erased += await this.#eraseRange(userId, after, last);
      after = last;
    }
  }

  /** The last id of the next batch; null where the events of the user are at their end. */
  async #endOfBatch(userId: Uuid, after: Uuid | null): Promise<Uuid | null> {
    const rows = await query<{ id: Uuid }>(
      this.#em,
      `select id from (
         select id from user_service.security_events where user_id = ? and id > ? order by id limit ${ERASE_BATCH}
       ) as batch order by id desc limit 1`,
      [userId, after ?? NIL_UUID],
    );
    return rows[0]?.id ?? null;
  }

  /** A range of ids and not a list of them: the index on (user, id) finds it, whatever the planner guesses. */
  async #eraseRange(userId: Uuid, after: Uuid | null, last: Uuid): Promise<number> {
    const [counted] = await query<{ erased: number }>(
      this.#em,
      `with erased as (
         update user_service.security_events
         set device_id = null, device_fingerprint = null, ip_address = null, user_agent = null, personal_salt = null
         where user_id = ? and id > ? and id <= ?
           and (personal_salt is not null or device_id is not null or device_fingerprint is not null
             or ip_address is not null or user_agent is not null)
         returning 1
       ) select count(*)::int as erased from erased`,
      [userId, after ?? NIL_UUID, last],
    );
    return counted?.erased ?? 0;
  }
}

function toEvent(row: EventColumns): RecordedSecurityEvent {
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
    resolution:
      row.resolved_at === null || row.resolved_by === null
        ? null
        : { at: toDate(row.resolved_at), by: row.resolved_by, note: row.resolution_note },
  };
}
