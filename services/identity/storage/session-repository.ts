import type { EntityManager } from '@mikro-orm/postgresql';
import type { SessionReads, SessionState } from '../domain/reads.ts';
import type { Session } from '../domain/session.ts';
import type { Sessions } from '../domain/unit-of-work.ts';
import type { Role } from '../domain/user.ts';
import type { Uuid } from '../domain/uuid.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { SessionEntity } from './session.entity.ts';
import { query } from './sql.ts';

/** Sessions in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class SessionRepository implements Sessions, SessionReads {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async insert({ device, ...session }: Session): Promise<void> {
    await withDatabaseErrors(() =>
      this.#em.insert(SessionEntity, {
        ...session,
        deviceId: device.id,
        deviceFingerprint: device.fingerprint,
        deviceName: device.name,
        ipAddress: device.ipAddress,
        userAgent: device.userAgent,
      }),
    );
  }

  async findLiveState(sessionId: Uuid, userId: Uuid, at: Date): Promise<SessionState | null> {
    const [row] = await query<{ email: string; roles: Role[]; mfa_verified: boolean }>(
      this.#em,
      `select u.email, u.roles, s.mfa_verified
       from user_service.sessions_history s join user_service.users u on u.id = s.user_id
       where s.id = ? and s.user_id = ? and s.terminated_at is null and s.expires_at > ?
         and u.status = 'active' and u.deleted_at is null`,
      [sessionId, userId, at],
    );
    return row === undefined ? null : { email: row.email, roles: row.roles, mfaVerified: row.mfa_verified };
  }
}
