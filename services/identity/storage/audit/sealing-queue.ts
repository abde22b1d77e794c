import type { EntityManager } from '@mikro-orm/postgresql';
import type { Sealing, SealingLag } from '../../domain/audit/sealing-lag.ts';
import { query } from '../sql.ts';

/** How many waiting events are counted. */
const MOST_COUNTED = 10_000;

/** The events that wait for their seal, whoever seals them. */
export class SealingQueue implements Sealing {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async lag(): Promise<SealingLag> {
    const [row] = await query<{ unsealed: number; oldest_ms: number }>(
      this.#em,
      `select count(*)::int as unsealed,
         coalesce(greatest(extract(epoch from clock_timestamp() - min(queued_at)) * 1000, 0), 0)::float8 as oldest_ms
       from (select queued_at from user_service.security_event_queue order by event_id limit ${MOST_COUNTED}) as waiting`,
      [],
    );
    return { unsealed: row?.unsealed ?? 0, oldestMs: Math.round(row?.oldest_ms ?? 0) };
  }
}
