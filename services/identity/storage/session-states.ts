import type { EntityManager } from '@mikro-orm/postgresql';
import type { LiveState, StateQuery, StateStore } from '../domain/session-state.ts';
import type { Role } from '../domain/user.ts';
import { query, type TimestampText, toDate } from './sql.ts';

interface StateRow {
  place: number;
  expires_at: TimestampText;
  last_activity_at: TimestampText;
  mfa_verified: boolean;
  revoked_tokens: string[];
  email: string;
  roles: Role[];
  token_generation: number;
}

/** What access tokens stand on, from PostgreSQL: one statement for any number of them. */
export class SessionStates implements StateStore {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  /** @throws DatabaseUnavailable */
  async read(queries: readonly StateQuery[]): Promise<(LiveState | null)[]> {
    const asked = queries.map(({ sessionId, userId, keyId }, place) => ({
      place,
      session: sessionId,
      owner: userId,
      key: keyId,
    }));
    const rows = await query<StateRow>(
      this.#em,
      `select asked.place, session.expires_at, session.last_activity_at, session.mfa_verified,
         array(select subject from user_service.revocations
               where kind = 'token' and session_id = session.id) as revoked_tokens,
         owner.email, owner.roles, owner.token_generation
       from jsonb_to_recordset(?::jsonb) as asked(place int, session uuid, owner uuid, key text)
         join user_service.sessions_history session
           on session.id = asked.session and session.user_id = asked.owner and session.terminated_at is null
         join user_service.users owner
           on owner.id = asked.owner and owner.status = 'active' and owner.deleted_at is null
       where exists (select from user_service.signing_keys where kid = asked.key)`,
      [JSON.stringify(asked)],
    );
    const states = new Array<LiveState | null>(queries.length).fill(null);
    for (const row of rows) {
      const { userId } = queries[row.place] as StateQuery;
      states[row.place] = {
        session: {
          userId,
          expiresAt: toDate(row.expires_at).getTime(),
          lastActivityAt: toDate(row.last_activity_at).getTime(),
          mfaVerified: row.mfa_verified,
          revokedTokens: row.revoked_tokens,
        },
        user: { email: row.email, roles: row.roles, tokenGeneration: row.token_generation },
      };
    }
    return states;
  }
}
