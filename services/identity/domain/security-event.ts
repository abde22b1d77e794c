import type { Device } from './device.ts';
import type { Uuid } from './uuid.ts';

export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** An entry of the audit log. Never holds a password, a token or a hash of one. */
export interface SecurityEvent {
  /** UUID version 7 of the moment it is about: the log is ordered and partitioned by it. */
  readonly id: Uuid;
  /** For example `login_succeeded`. */
  readonly type: string;
  readonly severity: Severity;
  /** One sentence for a person. */
  readonly description: string;
  readonly userId: Uuid | null;
  readonly sessionId: Uuid | null;
  /** The one place for what tells about a person: it is what {@link SecurityEvents.erasePersonal} erases. */
  readonly device: Device;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
}

/** What came of looking at an event. */
export interface Resolution {
  readonly at: Date;
  /** A user's id or an operator's name. */
  readonly by: string;
  /** Why, in a person's words; null where nothing was said. */
  readonly note: string | null;
}

/** An entry as it is kept. Of the device everything but its name is. */
export interface RecordedSecurityEvent extends SecurityEvent {
  readonly resolution: Resolution | null;
}

/** A piece of a list, newest first. */
export interface SecurityEventPage {
  /** The last event of the page before; null for the first page. */
  readonly before: Uuid | null;
  readonly limit: number;
}

/** What is read from and written to the audit log. Each method throws DatabaseUnavailable where the database is away. */
export interface SecurityEvents {
  append(event: SecurityEvent): Promise<void>;
  findById(id: Uuid): Promise<RecordedSecurityEvent | null>;
  listByUser(userId: Uuid, page: SecurityEventPage): Promise<RecordedSecurityEvent[]>;
  listByType(type: string, page: SecurityEventPage): Promise<RecordedSecurityEvent[]>;
  /** Those of severity `high` and `critical` that nobody has resolved. */
  listUnresolved(page: SecurityEventPage): Promise<RecordedSecurityEvent[]>;
  /** Null, and nothing written, where there is no such event or somebody has resolved it. */
  resolve(id: Uuid, resolution: Resolution): Promise<RecordedSecurityEvent | null>;
  /**
   * Erases what the events of a user tell about the person: device, address and user agent. What vouches for it in the
   * log's integrity stays (see personalDigest). In batches, each a statement.
   *
   * @returns how many events held something.
   */
  erasePersonal(userId: Uuid): Promise<number>;
}
