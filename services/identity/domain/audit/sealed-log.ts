import type { RecordedSecurityEvent, SecurityEventFilter } from '../security-event.ts';
import type { ChainHead } from './chain.ts';
import type { ChainSource } from './chain-source.ts';

/** Which events to follow. */
export type EventSelection = Pick<SecurityEventFilter, 'types' | 'minSeverity'>;

/** An entry of the log in the order of its chain. */
export interface SealedEntry {
  readonly place: ChainHead;
  /** Null where it is not one of those that were asked for, or is gone. */
  readonly event: RecordedSecurityEvent | null;
}

/** A piece of the log. */
export interface SealedBatch {
  readonly entries: readonly SealedEntry[];
  /** Retention has dropped entries up to this number; 0 where it has not dropped any. */
  readonly droppedUpTo: bigint;
}

/** The audit log in the order of its chain. Each method throws DatabaseUnavailable. */
export interface SealedLog extends Pick<ChainSource, 'base' | 'head'> {
  /** The place with a number; null where there is no seal with it. */
  placeAt(sequence: bigint): Promise<ChainHead | null>;
  /** All entries behind a number, up to `limit`, whether or not their events are selected: as they are at one moment. */
  after(sequence: bigint, selection: EventSelection, limit: number): Promise<SealedBatch>;
}
