import { follows, type Seal } from './chain.ts';
import type { ChainSource } from './chain-source.ts';

/** Seals that are held in memory at once, with their events. */
const BATCH = 500;

/** What stands under one sequence number. */
export interface SealedPosition {
  readonly sequence: bigint;
  /** More than one where somebody tampered with the log. */
  readonly seals: readonly Seal[];
  /** What is stored behind it; none at the end. */
  readonly next: readonly Seal[];
}

/** Reads the seals with a number greater than `after`, in batches, until there are no more for now. */
export async function* readPositions(
  source: ChainSource,
  after: bigint,
  signal: AbortSignal | undefined,
): AsyncGenerator<SealedPosition[]> {
  for (let last = after; ; ) {
    signal?.throwIfAborted();
    const seals = await source.sealsAfter(last, BATCH);
    const isEnd = seals.length < BATCH;
    const groups = [...Map.groupBy(seals, ({ sequence }) => sequence)];
    // The last number's seals may go on in the next batch: it is read again there, unless it fills a batch alone.
    const kept = isEnd || groups.length === 1 ? groups : groups.slice(0, -1);
    const positions = kept.map(([sequence, members], index) => {
      return { sequence, seals: members, next: groups[index + 1]?.[1] ?? [] };
    });
    if (positions.length > 0) yield positions;
    last = positions.at(-1)?.sequence ?? last;
    if (isEnd) return;
  }
}

/**
 * Which of the seals with one number is the genuine one: the one that follows from the chain hash before (null where that
 * is unknown) and that the next one follows from, as far as that tells.
 */
export function genuineSeal({ seals, next }: SealedPosition, previous: Buffer | null): Seal | undefined {
  if (seals.length === 1) return seals[0];
  const following = previous === null ? [] : seals.filter((seal) => follows(previous, seal));
  const candidates = following.length === 0 ? seals : following;
  return candidates.find((seal) => next.some((after) => follows(seal.chainHash, after))) ?? candidates[0];
}
