import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthenticationMethod } from '../domain/authentication-context.ts';
import type {
  RefreshState,
  RefreshTokenFamilies,
  RefreshTokenFamily,
  RefreshTokenFamilyStore,
  Rotation,
} from '../domain/refresh-token-families.ts';
import type { NewRefreshTokenFamily } from '../domain/session.ts';
import type { Role, UserStatus } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { RefreshTokenFamilyEntity } from './refresh-token-family.entity.ts';
import { toAuthentication } from './session-columns.ts';
import { query, type TimestampText, toDate, toDateOrNull } from './sql.ts';

interface StateRow {
  user_id: Uuid;
  session_id: Uuid;
  expires_at: TimestampText;
  revoked_at: TimestampText | null;
  current_token_hash: Buffer;
  previous_token_hash: Buffer | null;
  rotated_at: TimestampText | null;
  previous_answer: Buffer | null;
  session_expires_at: TimestampText;
  last_activity_at: TimestampText;
  terminated_at: TimestampText | null;
  session_created_at: TimestampText;
  amr: AuthenticationMethod[];
  authenticated_at: TimestampText | null;
  status: UserStatus;
  roles: Role[];
  token_generation: number;
}

/** Lineages of refresh tokens in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class RefreshTokenFamilyRepository implements RefreshTokenFamilies, RefreshTokenFamilyStore {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async insert(family: NewRefreshTokenFamily): Promise<void> {
    await withDatabaseErrors(() => this.#em.insert(RefreshTokenFamilyEntity, { ...family, generation: 1 }));
  }

  async findState(id: Uuid): Promise<RefreshState | null> {
    const [row] = await query<StateRow>(
      this.#em,
      `select f.user_id, f.session_id, f.expires_at, f.revoked_at, f.current_token_hash, f.previous_token_hash,
         f.rotated_at, f.previous_answer, s.expires_at as session_expires_at, s.last_activity_at, s.terminated_at,
         s.created_at as session_created_at, s.amr, s.authenticated_at,
         u.roles, u.token_generation, case when u.deleted_at is null then u.status else 'deleted' end as status
       from user_service.refresh_token_families f
         join user_service.sessions_history s on s.id = f.session_id and s.user_id = f.user_id
         join user_service.users u on u.id = f.user_id
       where f.id = ?`,
      [id],
    );
    return row === undefined ? null : toState(id, row);
  }

  async rotate({
    familyId,
    usedTokenHash,
    nextTokenHash,
    tokenGeneration,
    answer,
    at,
  }: Rotation): Promise<boolean> {
    const rows = await query<{ id: Uuid }>(
      this.#em,
      `update user_service.refresh_token_families f set current_token_hash = ?, previous_token_hash = current_token_hash,
         previous_answer = ?, rotated_at = ?, last_used_at = ?, generation = generation + 1
       where id = ? and current_token_hash = ? and revoked_at is null
         and exists (select from user_service.users u where u.id = f.user_id and u.token_generation = ?)
       returning id`,
      [nextTokenHash, answer, at, at, familyId, usedTokenHash, tokenGeneration],
    );
    return rows.length === 1;
  }

  async lock(id: Uuid): Promise<Pick<RefreshTokenFamily, 'userId' | 'sessionId' | 'revokedAt'> | null> {
    const [row] = await query<Pick<StateRow, 'user_id' | 'session_id' | 'revoked_at'>>(
      this.#em,
      `select user_id, session_id, revoked_at from user_service.refresh_token_families where id = ? for update`,
      [id],
    );
    if (row === undefined) return null;
    return { userId: row.user_id, sessionId: row.session_id, revokedAt: toDateOrNull(row.revoked_at) };
  }

  async revokeBySession(sessionIds: readonly Uuid[], reason: string, at: Date): Promise<void> {
    if (sessionIds.length === 0) return;
    await query(
      this.#em,
      // Rows in the order of their ids, so that two who revoke several never wait for each other.
      `with family as (
         select id from user_service.refresh_token_families where session_id in (?) and revoked_at is null
         order by id for update
       )
       update user_service.refresh_token_families f set revoked_at = ?, revocation_reason = ?, previous_answer = null
       from family where f.id = family.id`,
      [sessionIds, at, reason],
    );
  }
}

function toState(id: Uuid, row: StateRow): RefreshState {
  const { previous_token_hash, rotated_at, previous_answer } = row;
  return {
    family: {
      id,
      userId: row.user_id,
      sessionId: row.session_id,
      expiresAt: toDate(row.expires_at),
      revokedAt: toDateOrNull(row.revoked_at),
      currentTokenHash: row.current_token_hash,
      previous:
        previous_token_hash === null || rotated_at === null || previous_answer === null
          ? null
          : { tokenHash: previous_token_hash, usedAt: toDate(rotated_at), answer: previous_answer },
    },
    session: {
      expiresAt: toDate(row.session_expires_at),
      lastActivityAt: toDate(row.last_activity_at),
      endedAt: toDateOrNull(row.terminated_at),
      authentication: toAuthentication({ ...row, created_at: row.session_created_at }),
    },
    user: { status: row.status, roles: row.roles, tokenGeneration: row.token_generation },
  };
}
