import type { Uuid } from '../uuid.ts';
import type { ChainHead, Seal } from './chain.ts';
import type { ChainedEvent } from './event-hash.ts';

/** Where the stored chain begins. */
export interface ChainBase extends ChainHead {
  /** Retention has dropped the events below this id; null where it has not dropped any. */
  readonly droppedBefore: Uuid | null;
}

/**
 * The audit log, as the verification of its chain reads it: as it is stored, with numbers that are not unique and hashes of a
 * wrong length if it comes to that. The log may grow, be purged and be shortened by retention meanwhile; retention drops and
 * moves the base in one transaction.
 */
export interface ChainSource {
  /** GENESIS, or the checkpoint that retention left: number and chain hash of the last seal that went. */
  base(): Promise<ChainBase>;
  /** The last place of the chain, as it is stored; {@link base} where there are no seals. */
  head(): Promise<ChainHead>;
  /** The seals with a greater number, in its order, up to `limit`: those that share a number, too. */
  sealsAfter(sequence: bigint, limit: number): Promise<Seal[]>;
  /** Those that are there, in any order. */
  eventsOf(ids: readonly Uuid[]): Promise<ChainedEvent[]>;
  /** Ids of events that have no seal and do not wait for one either, up to `limit`. */
  unsealedEvents(limit: number): Promise<Uuid[]>;
}

/**
 * Whether an event that is not there was dropped by retention. Ids are UUID version 7, in the order of time, but events are
 * sealed in the order of their commits: behind the checkpoint there may be seals of events from before it.
 */
export function wasDropped(base: ChainBase, eventId: Uuid): boolean {
  return base.droppedBefore !== null && eventId < base.droppedBefore;
}
