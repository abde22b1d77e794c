import { chainHash, follows, type Seal } from './chain.ts';
import { type ChainBase, wasDropped } from './chain-source.ts';
import { eventHash } from './event-hash.ts';
import type { Finding, FindingKind } from './finding.ts';
import type { Suspect } from './suspect.ts';

/** Where another place holds what belongs to this one. */
interface Exchange {
  readonly other: Suspect;
  /** The seal as it was before. */
  readonly genuine: Seal;
  /** The place that names the event of that seal now. */
  readonly holder: Suspect;
}

/**
 * Tells what happened to the places where something is wrong, by comparing them with each other: things that changed places
 * are all among them, wherever in the log they stand.
 */
export class SuspectExplainer {
  readonly #suspects: readonly Suspect[];
  readonly #base: ChainBase;
  readonly #bySequence: ReadonlyMap<bigint, Suspect>;
  readonly #byChainHash: ReadonlyMap<string, Suspect>;
  /** Chain hashes that places had before, as far as it can be told, where it is not what is stored. */
  readonly #formerHashes = new Map<bigint, Buffer>();

  constructor(suspects: readonly Suspect[], base: ChainBase) {
    this.#suspects = suspects;
    this.#base = base;
    this.#bySequence = new Map(suspects.map((suspect) => [suspect.seal.sequence, suspect]));
    this.#byChainHash = new Map(suspects.map((suspect) => [suspect.seal.chainHash.toString('hex'), suspect]));
  }

  /** To be asked in the order of the sequence: what is wrong with a place may come from the one before alone. */
  explain(suspect: Suspect): Finding[] {
    if (!suspect.isBroken) return this.#explainEvent(suspect);
    const { seal } = suspect;
    const former = this.#formerHashes.get(seal.sequence - 1n);
    const candidates = [former, suspect.previous].filter((hash) => hash !== undefined && hash !== null);
    if (candidates.some((previous) => follows(previous, seal))) return this.#explainEvent(suspect);

    for (const previous of candidates) {
      const exchange = this.#findExchange(suspect, previous);
      if (exchange === undefined) continue;
      const { other, genuine, holder } = exchange;
      this.#formerHashes.set(seal.sequence, genuine.chainHash);
      return [
        finding('REORDERED', suspect, moved(seal, other.seal)),
        ...this.#explainEvent({ ...holder, seal: genuine }),
      ];
    }
    return this.#explainChangedSeal(suspect, candidates);
  }

  #explainChangedSeal(suspect: Suspect, candidates: readonly Buffer[]): Finding[] {
    const { seal } = suspect;
    const changed = finding(
      'SEAL_CHANGED',
      suspect,
      `seal ${seal.sequence} does not follow from the one before`,
    );
    const next = this.#bySequence.get(seal.sequence + 1n);
    for (const previous of candidates) {
      const former = chainHash(previous, seal);
      if (next === undefined || !follows(former, next.seal)) continue;
      // Nothing but the chain hash was changed: what the seal says of its event holds.
      this.#formerHashes.set(seal.sequence, former);
      return [changed, ...this.#explainEvent(suspect)];
    }
    return [changed];
  }

  /** Tries what stands at the other places, in whole and in part, in this one; and its own, for a chain hash elsewhere. */
  #findExchange(own: Suspect, previous: Buffer): Exchange | undefined {
    for (const other of this.#suspects) {
      for (const [holder, hashed] of [
        [other, other],
        [other, own],
        [own, other],
      ] as const) {
        const link = { ...own.seal, eventId: holder.seal.eventId, eventHash: hashed.seal.eventHash };
        const genuine = { ...link, chainHash: chainHash(previous, link) };
        const stored = this.#byChainHash.get(genuine.chainHash.toString('hex'));
        if (stored === undefined) continue;
        const elsewhere = [holder, hashed, stored].find((place) => place !== own);
        if (elsewhere !== undefined) return { other: elsewhere, genuine, holder };
      }
    }
    return undefined;
  }

  #explainEvent(suspect: Suspect): Finding[] {
    const { seal, event, actualHash } = suspect;
    if (event === null || actualHash === null) {
      if (wasDropped(this.#base, seal.eventId)) return [];
      return [finding('EVENT_MISSING', suspect, `the event of seal ${seal.sequence} is gone`)];
    }
    if (actualHash.equals(seal.eventHash)) return [];
    const other = this.#findContent(seal);
    if (other === undefined) {
      return [
        finding('EVENT_CHANGED', suspect, `the event of seal ${seal.sequence} is not as it was sealed`),
      ];
    }
    return [finding('REORDERED', suspect, moved(seal, other.seal))];
  }

  /** The place whose event has the content that this seal was made for, under another id. */
  #findContent(seal: Seal): Suspect | undefined {
    return this.#suspects.find(({ event }) => {
      return event !== null && eventHash({ ...event, id: seal.eventId }).equals(seal.eventHash);
    });
  }
}

function moved(seal: Seal, other: Seal): string {
  return `what belongs to entry ${seal.sequence} stands at entry ${other.sequence}`;
}

function finding(kind: FindingKind, { seal }: Suspect, description: string): Finding {
  return { kind, sequence: seal.sequence, lastSequence: null, eventId: seal.eventId, description };
}
