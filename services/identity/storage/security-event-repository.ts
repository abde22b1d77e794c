import type { EntityManager } from '@mikro-orm/postgresql';
import { newPersonalSalt, personalDigest } from '../domain/personal-digest.ts';
import type {
  RecordedSecurityEvent,
  Resolution,
  SecurityEvent,
  SecurityEventFilter,
  SecurityEventPage,
  SecurityEventReads,
  SecurityEvents,
} from '../domain/security-event.ts';
import type { Uuid } from '../domain/uuid.ts';
import { erasePersonal } from './audit/erase-personal.ts';
import { EVENT_COLUMNS, type EventColumns, toEvent } from './audit/event-columns.ts';
import { searchEvents } from './audit/search-events.ts';
import { query } from './sql.ts';

/** The audit log in PostgreSQL. */
export class SecurityEventRepository implements SecurityEvents, SecurityEventReads {
  readonly #em: EntityManager;
  readonly #onAppended: () => void;

  /** @param onAppended told of each event that was added; it is there once the transaction is committed */
  constructor(em: EntityManager, onAppended: () => void = () => undefined) {
    this.#em = em;
    this.#onAppended = onAppended;
  }

  async append(event: SecurityEvent): Promise<void> {
    const { device } = event;
    const salt = newPersonalSalt();
    // With it the entry in the queue: an event without a seal that does not wait for one was not added here.
    await query(
      this.#em,
      `with queued as (insert into user_service.security_event_queue (event_id) values (?))
       insert into user_service.security_events
         (id, event_type, severity, description, user_id, session_id, device_id, device_fingerprint, ip_address,
          user_agent, metadata, created_at, personal_salt, personal_hash)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        event.id,
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
    this.#onAppended();
  }

  async findById(id: Uuid): Promise<RecordedSecurityEvent | null> {
    const [row] = await query<EventColumns>(
      this.#em,
      `select ${EVENT_COLUMNS} from user_service.security_events where id = ?`,
      [id],
    );
    return row === undefined ? null : toEvent(row);
  }

  async list(filter: SecurityEventFilter, after: Uuid | null, limit: number): Promise<SecurityEventPage> {
    return await searchEvents(this.#em, filter, after, limit);
  }

  async resolve(id: Uuid, { at, by, note }: Resolution): Promise<RecordedSecurityEvent | null> {
    const [row] = await query<EventColumns>(
      this.#em,
      `update user_service.security_events
       set resolved = true, resolved_at = ?, resolved_by = ?, resolution_note = ?
       where id = ? and not resolved returning ${EVENT_COLUMNS}`,
      [at, by, note, id],
    );
    return row === undefined ? null : toEvent(row);
  }

  async erasePersonal(userId: Uuid): Promise<number> {
    return await erasePersonal(this.#em, userId);
  }
}
