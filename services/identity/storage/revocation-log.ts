import type { EntityManager } from '@mikro-orm/postgresql';
import type { Revocation, RevocationKind, RevocationSubject } from '../domain/revocation.ts';
import type { RevocationLog as Log } from '../domain/revocation-feed.ts';
import type { Uuid } from '../domain/uuid.ts';
import { query, type TimestampText, toDate } from './sql.ts';

interface RevocationRow {
  id: string;
  kind: RevocationKind;
  subject: string;
  user_id: Uuid;
  session_id: Uuid;
  generation: number;
  reason: string;
  created_at: TimestampText;
  expires_at: TimestampText;
}

const COLUMNS = 'id, kind, subject, user_id, session_id, generation, reason, created_at, expires_at';

/** What was revoked, from PostgreSQL's primary. Every method throws DatabaseUnavailable where the database is away. */
export class RevocationLog implements Log {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async from(id: bigint, limit: number): Promise<Revocation[]> {
    return await this.#rows('where id >= ? order by id limit ?', [id, limit]);
  }

  async newest(limit: number): Promise<Revocation[]> {
    const rows = await this.#rows('order by id desc limit ?', [limit]);
    return rows.reverse();
  }

  async unexpiredAfter(id: bigint, at: Date, limit: number): Promise<Revocation[]> {
    return await this.#rows(`where id > ? and expires_at > least(?, now()) order by id limit ?`, [
      id,
      at,
      limit,
    ]);
  }

  async deleteExpired(at: Date, limit: number): Promise<number> {
    const rows = await query(
      this.#em,
      `delete from user_service.revocations where id in (
         select id from user_service.revocations
         where expires_at <= least(?, now()) and id < (
           select id from user_service.revocations
           where created_at <= now() - interval '10 minutes' order by id desc limit 1)
         order by expires_at limit ? for update skip locked)
       returning id`,
      [at, limit],
    );
    return rows.length;
  }

  async #rows(rest: string, values: readonly unknown[]): Promise<Revocation[]> {
    const rows = await query<RevocationRow>(
      this.#em,
      `select ${COLUMNS} from user_service.revocations ${rest}`,
      values,
    );
    return rows.map((row) => ({
      ...subjectOf(row),
      id: BigInt(row.id),
      reason: row.reason,
      createdAt: toDate(row.created_at),
      expiresAt: toDate(row.expires_at),
    }));
  }
}

function subjectOf(row: RevocationRow): RevocationSubject {
  switch (row.kind) {
    case 'session':
      return { kind: 'session', sessionId: row.session_id, userId: row.user_id };
    case 'token':
      return { kind: 'token', tokenId: row.subject, sessionId: row.session_id, userId: row.user_id };
    case 'user':
      return { kind: 'user', userId: row.user_id, generation: row.generation };
    case 'key':
      return { kind: 'key', keyId: row.subject };
  }
}
