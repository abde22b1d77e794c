import type { ChainHead } from './chain.ts';
import type { Finding } from './finding.ts';

/** Compares the chain with what was known of it before: the anchors that were exported and the head that is stored. */
export class AnchorCheck {
  /** In the order of their sequence. */
  readonly #anchors: readonly ChainHead[];
  #compared = 0;
  #isOff = false;

  /** @param anchors in any order; those before the place where the check begins must be left out. */
  constructor(anchors: readonly ChainHead[]) {
    this.#anchors = anchors.toSorted((a, b) => (a.sequence < b.sequence ? -1 : 1));
  }

  /**
   * To be told every place of the chain, in order. Where one anchor differs, those behind it do so too if the chain goes on
   * from there: only the first is told, until one fits again.
   */
  visit(place: ChainHead): Finding[] {
    const findings: Finding[] = [];
    for (let anchor = this.#next(); anchor && anchor.sequence <= place.sequence; anchor = this.#next()) {
      this.#compared++;
      // Of an anchor in a gap there is nothing to compare; the gap is a finding itself.
      if (anchor.sequence < place.sequence) continue;
      const isOff = !anchor.chainHash.equals(place.chainHash);
      if (isOff && !this.#isOff) findings.push(mismatch(place.sequence));
      this.#isOff = isOff;
    }
    return findings;
  }

  /** To be told the last number of the chain. */
  end(last: bigint): Finding[] {
    const furthest = this.#anchors.at(-1);
    if (furthest === undefined || furthest.sequence <= last) return [];
    return [
      {
        kind: 'TRUNCATED',
        sequence: last + 1n,
        lastSequence: furthest.sequence,
        eventId: null,
        description: `the log ends with entry ${last} and had ${furthest.sequence}`,
      },
    ];
  }

  #next(): ChainHead | undefined {
    return this.#anchors[this.#compared];
  }
}

function mismatch(sequence: bigint): Finding {
  return {
    kind: 'ANCHOR_MISMATCH',
    sequence,
    lastSequence: null,
    eventId: null,
    description: `the chain hash of entry ${sequence} is not the one that was kept: the log was written anew up to there`,
  };
}
