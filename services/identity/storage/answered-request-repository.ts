import type { EntityManager } from '@mikro-orm/postgresql';
import type { AnsweredRequest, AnsweredRequests } from '../domain/answered-requests.ts';
import type { RequestKey } from '../domain/idempotency.ts';
import type { NewRevocation } from '../domain/revocation.ts';
import type { Uuid } from '../domain/uuid.ts';
import { query } from './sql.ts';

/** How long an answer counts: what the contract promises. By the database's clock, which all replicas share. */
const LIFETIME = "interval '24 hours'";

/** What the column `answer` holds. */
interface Kept {
  readonly answer: unknown;
  /** What the request revoked. */
  readonly revoked: readonly (Omit<NewRevocation, 'createdAt'> & { readonly createdAt: string })[];
}

/** Answered requests in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class AnsweredRequestRepository implements AnsweredRequests {
  readonly #em: EntityManager;
  readonly #revoked: NewRevocation[];

  /**
   * @param revoked what the transaction revokes, for the unit of work to tell of after the commit. What a request revoked
   *   is told of again with each answer to it: the first telling may still be under way, and its caller have given up.
   */
  constructor(em: EntityManager, revoked: NewRevocation[]) {
    this.#em = em;
    this.#revoked = revoked;
  }

  async claim({ caller, rpc, requestId, mac }: RequestKey): Promise<AnsweredRequest | null> {
    // The primary key decides: a transaction that has written the row already is waited for. The answer is null until
    // keep(), which nobody ever sees: it comes in the same transaction.
    const claimed = await query(
      this.#em,
      `insert into user_service.answered_requests as known
         (caller, rpc, request_id, request_mac, user_id, answer, created_at)
       values (?, ?, ?, ?, null, 'null', clock_timestamp())
       on conflict (caller, rpc, request_id) do update
         set request_mac = excluded.request_mac, user_id = null, answer = 'null', created_at = excluded.created_at
         where known.created_at <= clock_timestamp() - ${LIFETIME}
       returning 1 as claimed`,
      [caller, rpc, requestId, mac],
    );
    if (claimed.length > 0) return null;
    const [row] = await query<{ request_mac: Buffer; answer: Kept }>(
      this.#em,
      `select request_mac, answer from user_service.answered_requests
       where caller = ? and rpc = ? and request_id = ?`,
      [caller, rpc, requestId],
    );
    // The conflict has locked the row: it can't go before this transaction ends.
    if (row === undefined) throw new Error('an answered request has vanished under its lock');
    const { answer, revoked } = row.answer;
    this.#revoked.push(
      ...revoked.map(
        (revocation) => ({ ...revocation, createdAt: new Date(revocation.createdAt) }) as NewRevocation,
      ),
    );
    return { mac: row.request_mac, answer };
  }

  async keep({ caller, rpc, requestId }: RequestKey, answer: unknown, userId: Uuid | null): Promise<void> {
    await query(
      this.#em,
      `update user_service.answered_requests set answer = ?::jsonb, user_id = ?
       where caller = ? and rpc = ? and request_id = ?`,
      [JSON.stringify({ answer, revoked: this.#revoked }), userId, caller, rpc, requestId],
    );
  }

  async deleteExpired(most: number): Promise<number> {
    const deleted = await query(
      this.#em,
      `delete from user_service.answered_requests
       where (caller, rpc, request_id) in (
         select caller, rpc, request_id from user_service.answered_requests
         where created_at <= now() - ${LIFETIME}
         order by created_at limit ? for update skip locked)
       returning 1 as deleted`,
      [most],
    );
    return deleted.length;
  }

  async forgetUser(userId: Uuid): Promise<void> {
    await query(
      this.#em,
      `update user_service.answered_requests set answer = '{"answer":null,"revoked":[]}', user_id = null
       where user_id = ?`,
      [userId],
    );
  }
}
