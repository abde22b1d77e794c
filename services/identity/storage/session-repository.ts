import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthenticationContext } from '../domain/authentication-context.ts';
import type { SessionEndReason } from '../domain/end-sessions.ts';
import type { SessionPage, SessionReads } from '../domain/reads.ts';
import type { Session, StoredSession } from '../domain/session.ts';
import type { SessionUse } from '../domain/session-activity.ts';
import type { SessionOwner, Sessions } from '../domain/sessions.ts';
import type { Uuid } from '../domain/uuid.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { SessionEntity } from './session.entity.ts';
import { SESSION_COLUMNS, type SessionColumns, toSession } from './session-columns.ts';
import { query } from './sql.ts';

/** Sessions in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class SessionRepository implements Sessions, SessionReads {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async insert({ device, authentication, ...session }: Session): Promise<void> {
    await withDatabaseErrors(() =>
      this.#em.insert(SessionEntity, {
        ...session,
        deviceId: device.id,
        deviceFingerprint: device.fingerprint,
        deviceName: device.name,
        ipAddress: device.ipAddress,
        userAgent: device.userAgent,
        amr: [...authentication.amr],
        authenticatedAt: authentication.authenticatedAt,
      }),
    );
  }

  async find(id: Uuid): Promise<StoredSession | null> {
    const [row] = await query<SessionColumns>(
      this.#em,
      `select ${SESSION_COLUMNS} from user_service.sessions_history where id = ?`,
      [id],
    );
    return row === undefined ? null : toSession(row);
  }

  /** Newest first: ids of UUID version 7 are in the order of their making. */
  async list({ userId, live, after, limit }: SessionPage): Promise<StoredSession[]> {
    const conditions = ['user_id = ?'];
    const values: unknown[] = [userId];
    if (after !== null) {
      conditions.push('id < ?');
      values.push(after);
    }
    if (live !== null) {
      conditions.push('terminated_at is null and expires_at > ? and last_activity_at >= ?');
      values.push(live.at, live.idleSince);
    }
    const rows = await query<SessionColumns>(
      this.#em,
      `select ${SESSION_COLUMNS} from user_service.sessions_history
       where ${conditions.join(' and ')} order by id desc limit ?`,
      [...values, limit],
    );
    return rows.map(toSession);
  }

  async listLiveIds(userId: Uuid, except: Uuid | null, at: Date): Promise<Uuid[]> {
    return await this.#ids(
      `select id from user_service.sessions_history
       where user_id = ? and terminated_at is null and expires_at > ? order by id`,
      [userId, at],
    ).then((ids) => ids.filter((id) => id !== except));
  }

  async listEndedIds(userId: Uuid, since: Date): Promise<Uuid[]> {
    return await this.#ids(
      'select id from user_service.sessions_history where user_id = ? and terminated_at > ? order by id',
      [userId, since],
    );
  }

  async listIdleIds(userId: Uuid, before: Date, at: Date): Promise<Uuid[]> {
    return await this.#ids(
      `select id from user_service.sessions_history
       where user_id = ? and terminated_at is null and expires_at > ? and last_activity_at < ? order by id`,
      [userId, at, before],
    );
  }

  async end(ids: readonly Uuid[], reason: SessionEndReason, at: Date): Promise<Uuid[]> {
    if (ids.length === 0) return [];
    return await this.#ids(
      `update user_service.sessions_history set terminated_at = ?, termination_reason = ?
       where id in (?) and terminated_at is null returning id`,
      [at, reason, ids],
    );
  }

  async recordAuthentication(record: {
    readonly id: Uuid;
    readonly authentication: AuthenticationContext;
    readonly mfaVerified: boolean;
    readonly at: Date;
  }): Promise<boolean> {
    const { amr, authenticatedAt } = record.authentication;
    const ids = await this.#ids(
      `update user_service.sessions_history set amr = ?::text[], authenticated_at = ?, mfa_verified = ?
       where id = ? and terminated_at is null and expires_at > ? returning id`,
      [`{${amr.join()}}`, authenticatedAt, record.mfaVerified, record.id, record.at],
    );
    return ids.length === 1;
  }

  /**
   * Writes down when sessions were last used. What was written down already is never put back. A row that somebody else
   * has locked is left out: mostly another replica that does the same, and two that wait for each other's rows never end.
   */
  async recordActivity(uses: readonly SessionUse[]): Promise<void> {
    if (uses.length === 0) return;
    const rows = uses.map(({ sessionId, at }) => ({ id: sessionId, at: new Date(at) }));
    // Said once more as an array: by a join alone, whole partitions would be read.
    const ids = `{${uses.map(({ sessionId }) => sessionId).join()}}`;
    await query(
      this.#em,
      `with used as (
         select session.id, use.at
         from jsonb_to_recordset(?::jsonb) as use(id uuid, at timestamptz)
           join user_service.sessions_history session on session.id = use.id
         where session.id = any(?::uuid[]) and session.terminated_at is null
           and session.last_activity_at < use.at
         for no key update of session skip locked)
       update user_service.sessions_history session
       set last_activity_at = greatest(session.last_activity_at, used.at)
       from used where session.id = used.id and session.id = any(?::uuid[])`,
      [JSON.stringify(rows), ids, ids],
    );
  }

  async findByRefreshToken(token: {
    readonly familyId: Uuid;
    readonly hash: Buffer;
  }): Promise<SessionOwner | null> {
    const [row] = await query<{ session_id: Uuid; user_id: Uuid }>(
      this.#em,
      `select session_id, user_id from user_service.refresh_token_families
       where id = ? and (current_token_hash = ? or previous_token_hash = ?)`,
      [token.familyId, token.hash, token.hash],
    );
    return row === undefined ? null : { sessionId: row.session_id, userId: row.user_id };
  }

  async lockUser(userId: Uuid): Promise<boolean> {
    const ids = await this.#ids(
      'select id from user_service.users where id = ? and deleted_at is null for no key update',
      [userId],
    );
    return ids.length === 1;
  }

  async #ids(sql: string, values: readonly unknown[]): Promise<Uuid[]> {
    const rows = await query<{ id: Uuid }>(this.#em, sql, values);
    return rows.map(({ id }) => id);
  }
}
