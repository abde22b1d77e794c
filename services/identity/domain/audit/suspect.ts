import type { Seal } from './chain.ts';
import type { ChainedEvent } from './event-hash.ts';

/** A place of the log where something is wrong: what is known of it, before it is compared with the other ones. */
export interface Suspect {
  readonly seal: Seal;
  /** The chain hash that is stored one place before; null where it is unknown, behind a gap. */
  readonly previous: Buffer | null;
  /** Whether the seal does not follow from it. */
  readonly isBroken: boolean;
  /** The event under the id that the seal names; null where there is none. */
  readonly event: ChainedEvent | null;
  /** The hash of that event as it is now. */
  readonly actualHash: Buffer | null;
}
