import type { EntityManager } from '@mikro-orm/postgresql';
import type { SignInHistory } from '../domain/detection/detector.ts';
import type { PastSignIn } from '../domain/detection/sign-in.ts';
import type { Uuid } from '../domain/uuid.ts';
import type { SessionColumns } from './session-columns.ts';
import { query, toDate } from './sql.ts';

/** How many sign-ins a new one is compared with. */
const LATEST = 50;

type PastColumns = Pick<SessionColumns, 'device_id' | 'device_fingerprint' | 'ip_address' | 'created_at'>;

/** Past sign-ins by the sessions that they opened, in PostgreSQL. */
export class StoredSignInHistory implements SignInHistory {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async latest(userId: Uuid): Promise<PastSignIn[]> {
    const rows = await query<PastColumns>(
      this.#em,
      `select device_id, device_fingerprint, host(ip_address) as ip_address, created_at
       from user_service.sessions_history where user_id = ? order by id desc limit ${LATEST}`,
      [userId],
    );
    return rows.map((row) => ({
      at: toDate(row.created_at),
      deviceId: row.device_id,
      fingerprint: row.device_fingerprint,
      ipAddress: row.ip_address,
    }));
  }
}
