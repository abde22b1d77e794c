import type { EntityManager } from '@mikro-orm/postgresql';
import { type ChainHead, GENESIS, type Seal } from '../../domain/audit/chain.ts';
import type { ChainBase, ChainSource } from '../../domain/audit/chain-source.ts';
import type { ChainedEvent } from '../../domain/audit/event-hash.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { query, type TimestampText, toDate } from '../sql.ts';
import { CHAINED_EVENT_COLUMNS, type ChainedEventColumns, toChainedEvent } from './chained-event-columns.ts';

/** Events of a statement that looks for seals: far below the statement time-out. */
const WINDOW = 20_000;
const NIL_UUID = '00000000-0000-0000-0000-000000000000' as Uuid;

interface SealRow {
  event_id: Uuid;
  sequence: string;
  event_hash: Buffer;
  chain_hash: Buffer;
  sealed_at: TimestampText;
}

/** The chain in PostgreSQL. Each method is a statement or several, and holds no transaction open in between. */
export class StoredChain implements ChainSource {
  readonly #em: EntityManager;

  /** @param em within a transaction: what that one sees */
  constructor(em: EntityManager) {
    this.#em = em;
  }

  async base(): Promise<ChainBase> {
    const [row] = await query<Pick<SealRow, 'sequence' | 'chain_hash'> & { dropped_before: Uuid }>(
      this.#em,
      `select sequence, chain_hash, dropped_before from user_service.security_event_checkpoints
       order by sequence desc limit 1`,
      [],
    );
    if (row === undefined) return { ...GENESIS, droppedBefore: null };
    return {
      sequence: BigInt(row.sequence),
      chainHash: row.chain_hash,
      droppedBefore: row.dropped_before,
    };
  }

  async head(): Promise<ChainHead> {
    // The last seal may have been dropped: the checkpoint is the end then.
    const [row] = await query<Pick<SealRow, 'sequence' | 'chain_hash'>>(
      this.#em,
      `(select sequence, chain_hash from user_service.security_event_seals order by sequence desc limit 1)
       union all
       (select sequence, chain_hash from user_service.security_event_checkpoints order by sequence desc limit 1)
       order by sequence desc limit 1`,
      [],
    );
    return row === undefined ? GENESIS : { sequence: BigInt(row.sequence), chainHash: row.chain_hash };
  }

  async sealsAfter(sequence: bigint, limit: number): Promise<Seal[]> {
    const rows = await query<SealRow>(
      this.#em,
      `select event_id, sequence, event_hash, chain_hash, sealed_at from user_service.security_event_seals
       where sequence > ? order by sequence, event_id limit ?`,
      [sequence, limit],
    );
    return rows.map((row) => ({
      sequence: BigInt(row.sequence),
      eventId: row.event_id,
      eventHash: row.event_hash,
      chainHash: row.chain_hash,
      sealedAt: toDate(row.sealed_at),
    }));
  }

  async eventsOf(ids: readonly Uuid[]): Promise<ChainedEvent[]> {
    const rows = await query<ChainedEventColumns>(
      this.#em,
      `select ${CHAINED_EVENT_COLUMNS} from user_service.security_events where id = any (?::uuid[])`,
      [`{${ids.join(',')}}`],
    );
    return rows.map(toChainedEvent);
  }

  async unsealedEvents(limit: number): Promise<Uuid[]> {
    const unsealed: Uuid[] = [];
    // Below it, seals go with their month, and events of the default partition after them.
    const { droppedBefore } = await this.base();
    for (let after = droppedBefore ?? NIL_UUID; unsealed.length < limit; ) {
      const last = await this.#endOfWindow(after);
      if (last === null) break;
      unsealed.push(...(await this.#unsealedWithin(after, last, limit - unsealed.length)));
      after = last;
    }
    return unsealed;
  }

  async #endOfWindow(after: Uuid): Promise<Uuid | null> {
    const [row] = await query<{ id: Uuid }>(
      this.#em,
      `select id from (
         select id from user_service.security_events where id > ? order by id limit ${WINDOW}
       ) as entries order by id desc limit 1`,
      [after],
    );
    return row?.id ?? null;
  }

  /** In one statement: an event leaves the queue in the transaction that seals it. */
  async #unsealedWithin(after: Uuid, last: Uuid, limit: number): Promise<Uuid[]> {
    const rows = await query<{ id: Uuid }>(
      this.#em,
      `select id from user_service.security_events as event where id > ? and id <= ?
         and not exists (
           select from user_service.security_event_seals as seal
           where seal.event_id = event.id and seal.event_id > ? and seal.event_id <= ?)
         and not exists (
           select from user_service.security_event_queue as queue
           where queue.event_id = event.id and queue.event_id > ? and queue.event_id <= ?)
       order by id limit ?`,
      [after, last, after, last, after, last, limit],
    );
    return rows.map(({ id }) => id);
  }
}
