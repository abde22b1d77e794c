import type { Uuid } from '../uuid.ts';

export type FindingKind =
  /** An event is not as it was sealed. */
  | 'EVENT_CHANGED'
  /** What an event tells about the person is neither what was recorded nor erased. */
  | 'PERSONAL_PART_CHANGED'
  /** An event that was sealed is gone. */
  | 'EVENT_MISSING'
  /** Seals are gone. */
  | 'SEAL_MISSING'
  /** A seal does not follow from the one before. */
  | 'SEAL_CHANGED'
  /** What belongs here stands elsewhere: seals, parts of them or events have changed places. */
  | 'REORDERED'
  /** A second seal with the same number. */
  | 'DUPLICATE_SEQUENCE'
  /** An event that has no seal and does not wait for one. */
  | 'UNSEALED_EVENT'
  /** The log ends before a place that it had reached. */
  | 'TRUNCATED'
  /** Another hash than the one that was exported: the log was written anew before this place. */
  | 'ANCHOR_MISMATCH';

/** Something that can't be unless somebody tampered with the log. */
export interface Finding {
  readonly kind: FindingKind;
  /** The number of the seal; of the first where there are several; null for an event without one. */
  readonly sequence: bigint | null;
  /** The last of several numbers, for `SEAL_MISSING` and `TRUNCATED`; null elsewhere. */
  readonly lastSequence: bigint | null;
  readonly eventId: Uuid | null;
  /** One sentence for a person. Holds nothing of the event but its id. */
  readonly description: string;
}
