import type { EntityManager } from '@mikro-orm/postgresql';
import { type ChainHead, type Seal, sealNext } from '../../domain/audit/chain.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { withDatabaseErrors } from '../database-errors.ts';
import { query } from '../sql.ts';
import { StoredChain } from './stored-chain.ts';

/** What came of one batch. */
export interface SealedBatch {
  /** Events that were taken out of the queue. */
  readonly taken: number;
  /** Those of them that were not there to be sealed: somebody deleted them. */
  readonly missing: readonly Uuid[];
  /** Those of them that had a seal: somebody else than a sealer made it, or put them back. They get no second one. */
  readonly sealedBefore: readonly Uuid[];
}

interface Waiting {
  event_id: Uuid;
  is_sealed: boolean;
}

/**
 * Seals up to `most` of the events that wait, in the order of their ids, in one transaction.
 *
 * The lock is the transaction's, which is also the one that adds the seals: whoever has lost it can't add any. The end of
 * the chain is read by a statement of its own after the lock is there, so that it sees all that the holder before has
 * committed (READ COMMITTED). So no two seals follow the same one, whatever breaks.
 *
 * @returns null where another sealer is at work
 * @throws DatabaseUnavailable
 */
export async function sealBatch(em: EntityManager, most: number): Promise<SealedBatch | null> {
  return await withDatabaseErrors(() =>
    em.fork().transactional(async (transaction) => {
      if (!(await lock(transaction))) return null;
      const waiting = await takeWaiting(transaction, most);
      const sealedBefore = idsOf(waiting.filter((row) => row.is_sealed));
      const unsealed = idsOf(waiting.filter((row) => !row.is_sealed));
      const chain = new StoredChain(transaction);
      const events = await chain.eventsOf(unsealed);
      let head: ChainHead = await chain.head();
      const sealedAt = new Date();
      const seals: Seal[] = [];
      for (const event of events.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
        const seal = sealNext(head, event, sealedAt);
        seals.push(seal);
        head = seal;
      }
      await addSeals(transaction, seals);
      const found = new Set(events.map(({ id }) => id));
      return { taken: waiting.length, missing: unsealed.filter((id) => !found.has(id)), sealedBefore };
    }),
  );
}

async function lock(em: EntityManager): Promise<boolean> {
  const [row] = await query<{ locked: boolean }>(
    em,
    `select pg_try_advisory_xact_lock(hashtextextended('user_service.security_event_chain', 0)) as locked`,
    [],
  );
  return row?.locked === true;
}

async function takeWaiting(em: EntityManager, most: number): Promise<Waiting[]> {
  return await query<Waiting>(
    em,
    `delete from user_service.security_event_queue as queue where event_id in (
       select event_id from user_service.security_event_queue order by event_id limit ? for update skip locked)
     returning event_id, exists (
       select from user_service.security_event_seals as seal where seal.event_id = queue.event_id) as is_sealed`,
    [most],
  );
}

function idsOf(rows: readonly Waiting[]): Uuid[] {
  return rows.map((row) => row.event_id);
}

async function addSeals(em: EntityManager, seals: readonly Seal[]): Promise<void> {
  if (seals.length === 0) return;
  const rows = seals.map((seal) => ({
    event_id: seal.eventId,
    sequence: seal.sequence.toString(),
    event_hash: `\\x${seal.eventHash.toString('hex')}`,
    chain_hash: `\\x${seal.chainHash.toString('hex')}`,
    sealed_at: seal.sealedAt,
  }));
  await query(
    em,
    `insert into user_service.security_event_seals (event_id, sequence, event_hash, chain_hash, sealed_at)
     select event_id, sequence, event_hash, chain_hash, sealed_at from json_to_recordset(?::json)
       as seal (event_id uuid, sequence bigint, event_hash bytea, chain_hash bytea, sealed_at timestamptz)`,
    [JSON.stringify(rows)],
  );
}
