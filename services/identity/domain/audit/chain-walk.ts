import { setImmediate } from 'node:timers/promises';
import type { AnchorCheck } from './anchor-check.ts';
import { type ChainHead, follows, type Seal } from './chain.ts';
import { type ChainBase, type ChainSource, wasDropped } from './chain-source.ts';
import { type ChainedEvent, eventHash } from './event-hash.ts';
import type { Finding } from './finding.ts';
import { isPersonalPartIntact } from './personal-part.ts';
import { genuineSeal, type SealedPosition } from './sealed-positions.ts';
import type { Suspect } from './suspect.ts';

/** Entries that are hashed at a stretch: 1.5 ms of other calls' time, where a batch as a whole would take 7. */
const STRETCH = 100n;

export interface ChainWalkOptions {
  readonly source: ChainSource;
  readonly base: ChainBase;
  /** The place behind which it begins: the base, or an anchor, whose own seal is then compared with it. */
  readonly start: ChainHead;
  readonly anchorCheck: AnchorCheck;
  /** How many findings and suspects there may be before it stops. */
  readonly room: number;
  /** How many entries it looks at; undefined for all. */
  readonly maxEntries: bigint | undefined;
}

/** Goes along the chain from place to place, and notes what is wrong. */
export class ChainWalk {
  /** What needs no comparison with other places. */
  readonly findings: Finding[] = [];
  readonly suspects: Suspect[] = [];
  /** How many entries were looked at. */
  verified = 0n;
  /** The last place that was looked at. */
  last: ChainHead | undefined;
  readonly #options: ChainWalkOptions;
  #base: ChainBase;
  #sequence: bigint;
  /** Null where it is unknown. */
  #chainHash: Buffer | null;

  constructor(options: ChainWalkOptions) {
    const { base, start, anchorCheck } = options;
    this.#options = options;
    this.#base = base;
    const isAtBase = start.sequence === base.sequence;
    this.#sequence = isAtBase ? start.sequence : start.sequence - 1n;
    this.#chainHash = isAtBase ? start.chainHash : null;
    if (isAtBase) this.findings.push(...anchorCheck.visit(base));
  }

  /** The number behind which the seals are to be read. */
  get position(): bigint {
    return this.#sequence;
  }

  /** Whether it has looked at as much as it was to, or noted as much as it has room for. */
  get isStopped(): boolean {
    const { room, maxEntries } = this.#options;
    return this.verified === maxEntries || this.findings.length + this.suspects.length >= room;
  }

  /** Visits the positions that come next, until it stops. */
  async visit(positions: readonly SealedPosition[]): Promise<void> {
    const ids = positions.flatMap(({ seals }) => seals.map(({ eventId }) => eventId));
    const found = await this.#options.source.eventsOf([...new Set(ids)]);
    const events = new Map(found.map((event) => [event.id, event]));
    // Retention may have dropped them meanwhile: a month of them would fill the room for what is suspect.
    if (ids.some((id) => !events.has(id))) this.#base = await this.#options.source.base();
    for (const position of positions) {
      if (this.isStopped) return;
      if (position.sequence > this.#sequence + 1n) await this.#passGap(position.sequence - 1n);
      const seal = genuineSeal(position, this.#chainHash);
      if (seal === undefined) continue;
      this.#noteDuplicates(position, seal);
      this.findings.push(...this.#options.anchorCheck.visit(seal));
      // What is at the start was verified when the anchor was made.
      if (seal.sequence !== this.#options.start.sequence) this.#check(seal, events.get(seal.eventId) ?? null);
      this.#sequence = seal.sequence;
      this.#chainHash = seal.chainHash;
      this.last = seal;
      if (seal.sequence % STRETCH === 0n) await setImmediate();
    }
  }

  /** There are no seals up to the number `to`. */
  async #passGap(to: bigint): Promise<void> {
    // Retention may have moved the beginning of the chain meanwhile.
    const base = await this.#options.source.base();
    this.#base = base;
    let from = this.#sequence + 1n;
    if (base.sequence >= from) from = base.sequence + 1n;
    this.#sequence = to;
    this.#chainHash = base.sequence === to ? base.chainHash : null;
    if (from > to) return;
    const range = from === to ? `seal ${from} is` : `the seals from ${from} to ${to} are`;
    const description = `${range} gone, and the next one can not be checked against the one before`;
    this.findings.push({
      kind: 'SEAL_MISSING',
      sequence: from,
      lastSequence: to,
      eventId: null,
      description,
    });
  }

  #noteDuplicates({ sequence, seals }: SealedPosition, genuine: Seal): void {
    for (const { eventId } of seals.filter((seal) => seal !== genuine)) {
      const description = `there is another seal with the number ${sequence}`;
      this.findings.push({ kind: 'DUPLICATE_SEQUENCE', sequence, lastSequence: null, eventId, description });
    }
  }

  #check(seal: Seal, event: ChainedEvent | null): void {
    const { sequence, eventId } = seal;
    const previous = this.#chainHash;
    const actualHash = event && eventHash(event);
    const isBroken = previous !== null && !follows(previous, seal);
    const isEventRight = actualHash?.equals(seal.eventHash) ?? wasDropped(this.#base, eventId);
    this.verified++;
    if (isBroken || !isEventRight) this.suspects.push({ seal, previous, isBroken, event, actualHash });
    if (event === null || isPersonalPartIntact(event)) return;
    const description = `what the event of seal ${sequence} tells about the person is not what was recorded`;
    this.findings.push({ kind: 'PERSONAL_PART_CHANGED', sequence, lastSequence: null, eventId, description });
  }
}
