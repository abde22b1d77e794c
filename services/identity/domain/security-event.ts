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
  /** Its place in the chain, from 1; null while it waits for its seal. */
  readonly sequence: bigint | null;
  readonly resolution: Resolution | null;
}

/** Which events: every part that is set must hold. */
export interface SecurityEventFilter {
  readonly userId: Uuid | null;
  /** Any of these; none for any. */
  readonly types: readonly string[];
  /** At least this. */
  readonly minSeverity: Severity | null;
  readonly createdFrom: Date | null;
  readonly createdBefore: Date | null;
  readonly sessionId: Uuid | null;
  /** Those of severity `high` and `critical` that nobody has resolved. */
  readonly unresolved: boolean;
}

/** A piece of a list, newest first. */
export interface SecurityEventPage {
  readonly events: readonly RecordedSecurityEvent[];
  /** Where the list goes on: behind this id. Null where it ends here. */
  readonly next: Uuid | null;
}

/** Reads of the audit log outside a transaction. Each throws DatabaseUnavailable. */
export interface SecurityEventReads {
  findById(id: Uuid): Promise<RecordedSecurityEvent | null>;
  /**
   * Events behind an id (null: from the newest on), at most `limit` of them. Looks at a bounded number of entries: the page
   * of a rare kind of event may be short, or empty, and go on all the same.
   */
  list(filter: SecurityEventFilter, after: Uuid | null, limit: number): Promise<SecurityEventPage>;
}

/** What is written to the audit log. Each method throws DatabaseUnavailable where the database is away. */
export interface SecurityEvents extends Pick<SecurityEventReads, 'findById'> {
  /** Adds an event, which is sealed just after the commit. */
  append(event: SecurityEvent): Promise<void>;
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
