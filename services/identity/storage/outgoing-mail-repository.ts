import type { EntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidV7 } from 'uuid';
import type {
  MailMessage,
  MailQueue,
  OutgoingMail,
  OutgoingMails,
  QueuedMail,
  ResetRequest,
} from '../domain/outgoing-mail.ts';
import type { SecretBox } from '../domain/secret-box.ts';
import type { Uuid } from '../domain/uuid.ts';
import { query, type TimestampText, toDate } from './sql.ts';

/** Stands for nobody (RFC 9562 section 5.9). */
const NIL_UUID = '00000000-0000-0000-0000-000000000000' as Uuid;
const PURPOSE = 'mail';

/** What is sealed: recipients, tokens and devices stand nowhere in plain. */
type Payload =
  | { readonly kind: 'mail'; readonly to: string; readonly message: MailMessage }
  | { readonly kind: 'reset_request'; readonly request: ResetRequest };

/** Members of payloads that are moments, which JSON knows as texts. */
const MOMENTS = new Set(['at', 'until', 'createdAt', 'expiresAt']);

/** Mails to be sent, in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class OutgoingMailRepository implements OutgoingMails, MailQueue {
  readonly #em: EntityManager;
  readonly #secretBox: SecretBox;
  readonly #enabled: boolean;
  readonly #onAdded: () => void;

  /** @param onAdded told of each mail, but of no reset request: what those bring about must not follow at once. */
  constructor(
    em: EntityManager,
    secretBox: SecretBox,
    enabled: boolean,
    onAdded: () => void = () => undefined,
  ) {
    this.#em = em;
    this.#secretBox = secretBox;
    this.#enabled = enabled;
    this.#onAdded = onAdded;
  }

  async add({ userId, to, message, createdAt, expiresAt }: OutgoingMail): Promise<void> {
    if (!this.#enabled) return;
    await this.#insert(userId, { kind: 'mail', to, message }, createdAt, expiresAt);
    this.#onAdded();
  }

  async addResetRequest(request: ResetRequest): Promise<void> {
    const { createdAt, expiresAt } = request;
    await this.#insert(NIL_UUID, { kind: 'reset_request', request }, createdAt, expiresAt);
  }

  async takeResetRequest(id: Uuid): Promise<boolean> {
    const rows = await query(
      this.#em,
      'delete from user_service.outgoing_mails where id = ? and user_id = ? returning 1',
      [id, NIL_UUID],
    );
    return rows.length > 0;
  }

  async claim({
    at,
    leaseUntil,
    most,
  }: {
    readonly at: Date;
    readonly leaseUntil: Date;
    readonly most: number;
  }): Promise<QueuedMail[]> {
    const rows = await query<{
      id: Uuid;
      payload: Buffer;
      payload_key_id: string;
      attempts: number;
      expires_at: TimestampText;
    }>(
      this.#em,
      `with due as materialized (
         select id from user_service.outgoing_mails where next_attempt_at <= ?
         order by next_attempt_at limit ${most} for update skip locked)
       update user_service.outgoing_mails m set attempts = m.attempts + 1, next_attempt_at = ? from due
       where m.id = due.id returning m.id, m.payload, m.payload_key_id, m.attempts, m.expires_at`,
      [at, leaseUntil],
    );
    return rows.map(({ id, payload, payload_key_id, attempts, expires_at }) => ({
      id,
      attempts,
      expiresAt: toDate(expires_at),
      ...this.#open(id, payload_key_id, payload),
    }));
  }

  async remove(id: Uuid): Promise<void> {
    await query(this.#em, 'delete from user_service.outgoing_mails where id = ?', [id]);
  }

  /** Drops what is of no use any more: for where no mail is set up and nobody claims. @returns how many */
  async deleteExpired(at: Date, most: number): Promise<number> {
    const rows = await query(
      this.#em,
      `delete from user_service.outgoing_mails where id in (
         select id from user_service.outgoing_mails where next_attempt_at <= ? and expires_at <= ?
         order by next_attempt_at limit ? for update skip locked)
       returning 1`,
      [at, at, most],
    );
    return rows.length;
  }

  async retryAt(id: Uuid, at: Date): Promise<void> {
    await query(this.#em, 'update user_service.outgoing_mails set next_attempt_at = ? where id = ?', [
      at,
      id,
    ]);
  }

  async #insert(userId: Uuid, payload: Payload, createdAt: Date, expiresAt: Date): Promise<void> {
    const id = uuidV7() as Uuid;
    const { keyId, ciphertext } = this.#secretBox.seal(Buffer.from(JSON.stringify(payload)), {
      purpose: PURPOSE,
      owner: id,
    });
    await query(
      this.#em,
      `insert into user_service.outgoing_mails
         (id, user_id, payload, payload_key_id, created_at, next_attempt_at, attempts, expires_at)
       values (?, ?, ?, ?, ?, ?, 0, ?)`,
      [id, userId, ciphertext, keyId, createdAt, createdAt, expiresAt],
    );
  }

  #open(id: Uuid, keyId: string, ciphertext: Buffer): Payload | { kind: 'unreadable'; error: unknown } {
    try {
      const text = this.#secretBox
        .open({ keyId, ciphertext }, { purpose: PURPOSE, owner: id })
        .toString('utf8');
      return JSON.parse(text, (key, value) => (MOMENTS.has(key) ? new Date(value) : value)) as Payload;
    } catch (error) {
      return { kind: 'unreadable', error };
    }
  }
}
