import type { EntityManager } from '@mikro-orm/postgresql';
import type { ChainHead } from '../../domain/audit/chain.ts';
import type { ChainBase } from '../../domain/audit/chain-source.ts';
import type { EventSelection, SealedBatch, SealedEntry, SealedLog } from '../../domain/audit/sealed-log.ts';
import { SEVERITIES } from '../../domain/security-event.ts';
import { query } from '../sql.ts';
import { EVENT_COLUMNS, type EventColumns, toEvent } from './event-columns.ts';
import { StoredChain } from './stored-chain.ts';

/** Null is what is not there: an event that was asked for, or any seal at all. */
type EntryRow = {
  [Column in keyof EventColumns]: EventColumns[Column] | null;
} & {
  readonly seal_sequence: string | null;
  readonly chain_hash: Buffer | null;
  readonly dropped_up_to: string;
};

/** The audit log in the order of its chain, in PostgreSQL. */
export class SealedEvents implements SealedLog {
  readonly #em: EntityManager;
  readonly #chain: StoredChain;

  constructor(em: EntityManager) {
    this.#em = em;
    this.#chain = new StoredChain(em);
  }

  async base(): Promise<ChainBase> {
    return await this.#chain.base();
  }

  async head(): Promise<ChainHead> {
    return await this.#chain.head();
  }

  async placeAt(sequence: bigint): Promise<ChainHead | null> {
    const [seal] = await this.#chain.sealsAfter(sequence - 1n, 1);
    return seal?.sequence === sequence ? seal : null;
  }

  /** One statement: retention takes its checkpoint, seals and events at different moments. */
  async after(sequence: bigint, selection: EventSelection, limit: number): Promise<SealedBatch> {
    const { sql, params } = conditionOf(selection);
    const rows = await query<EntryRow>(
      this.#em,
      `select base.dropped_up_to, seal.sequence as seal_sequence, seal.chain_hash, event.*
       from (select coalesce(max(sequence), 0) as dropped_up_to from user_service.security_event_checkpoints) as base
       left join (
         select event_id, sequence, chain_hash from user_service.security_event_seals
         where sequence > ? order by sequence, event_id limit ?
       ) as seal on true
       left join lateral (
         select ${EVENT_COLUMNS} from user_service.security_events where id = seal.event_id${sql}
       ) as event on true
       order by seal.sequence, seal.event_id`,
      [sequence, limit, ...params],
    );
    const entries: SealedEntry[] = [];
    for (const row of rows) {
      if (row.seal_sequence === null || row.chain_hash === null) continue;
      entries.push({
        place: { sequence: BigInt(row.seal_sequence), chainHash: row.chain_hash },
        event: row.id === null ? null : toEvent(row as EventColumns),
      });
    }
    return { entries, droppedUpTo: BigInt(rows[0]?.dropped_up_to ?? 0) };
  }
}

function conditionOf({ types, minSeverity }: EventSelection) {
  const params: unknown[] = [];
  let sql = '';
  if (types.length > 0) {
    sql += ` and event_type in (${types.map(() => '?').join(', ')})`;
    params.push(...types);
  }
  if (minSeverity !== null) {
    const severities = SEVERITIES.slice(SEVERITIES.indexOf(minSeverity));
    sql += ` and severity in (${severities.map((severity) => `'${severity}'`).join(', ')})`;
  }
  return { sql, params };
}
