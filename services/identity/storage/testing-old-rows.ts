import { createHash } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import type { TestOrm } from './testing-orm.ts';

const DAY_MS = 24 * 3_600_000;

export const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY_MS);
const idAt = (at: Date): string => uuidV7({ msecs: at.getTime() });

/** Rows from the past, in the partitions of their months. */
export class OldRows {
  readonly #db: TestOrm;
  #sequence = 0;

  constructor(db: TestOrm) {
    this.#db = db;
  }

  /** Makes the partitions from that many days ago on. */
  async prepare(days: number): Promise<void> {
    for (const table of ['sessions_history', 'security_events', 'security_event_seals']) {
      await this.#db.rows('select user_service.ensure_partitions($1, $2, 3)', [table, daysAgo(days)]);
    }
  }

  async user(): Promise<string> {
    const [row] = await this.#db.rows(
      `insert into user_service.users (id, email, email_normalized, roles, created_at, updated_at)
       values (uuidv7(), gen_random_uuid() || '@x.example', gen_random_uuid() || '@x.example', '{user}', now(), now())
       returning id`,
    );
    return String(row?.['id']);
  }

  /** A session from that many days ago, which has ended unless it is live. */
  async session(userId: string, days: number, { live = false } = {}): Promise<string> {
    const at = daysAgo(days);
    const id = idAt(at);
    await this.#db.rows(
      `insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
       values ($1, $2, $3, $4, $3)`,
      [id, userId, at, live ? daysAgo(-1) : at],
    );
    return id;
  }

  /** An event from that many days ago, with its seal: at the chain's end, unless another number is given. */
  async event(days: number, { sequence = this.#sequence + 1, sealed = true } = {}): Promise<string> {
    const at = daysAgo(days);
    const id = idAt(at);
    await this.#db.rows(
      `insert into user_service.security_events (id, event_type, severity, description, created_at)
       values ($1, 'x', 'info', 'x', $2)`,
      [id, at],
    );
    if (!sealed) {
      await this.#db.rows('insert into user_service.security_event_queue (event_id) values ($1)', [id]);
      return id;
    }
    this.#sequence = Math.max(this.#sequence, sequence);
    await this.#db.rows(
      `insert into user_service.security_event_seals (event_id, sequence, event_hash, chain_hash, sealed_at)
       values ($1, $2, sha256('x'), $3, now())`,
      [id, sequence, hashOf(sequence)],
    );
    return id;
  }
}

/** What stands for the hash of the chain at a number. */
export function hashOf(sequence: number): Buffer {
  return createHash('sha256').update(`${sequence}`).digest();
}
