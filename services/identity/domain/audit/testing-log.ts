import fc from 'fast-check';
import type { IpAddress } from '../ip-address.ts';
import { type PersonalPart, personalDigest } from '../personal-digest.ts';
import { SEVERITIES } from '../security-event.ts';
import type { Uuid } from '../uuid.ts';
import { type ChainHead, GENESIS, type Seal, sealNext } from './chain.ts';
import type { ChainBase, ChainSource } from './chain-source.ts';
import type { ChainedEvent } from './event-hash.ts';

const NOTHING: PersonalPart = { id: null, fingerprint: null, ipAddress: null, userAgent: null };
const BEGIN = Date.UTC(2026, 0, 1);

/** UUID version 7 of the nth minute. */
export function idOf(n: number): Uuid {
  const time = (BEGIN + n * 60_000).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}` as Uuid;
}

/** The nth event, with all that an event may have. */
export function eventOf(n: number, more: Partial<ChainedEvent> = {}): ChainedEvent {
  const personal: PersonalPart = {
    id: `device ${n}`,
    fingerprint: 'f',
    ipAddress: '203.0.113.9' as IpAddress,
    userAgent: 'u',
  };
  const personalSalt = Buffer.alloc(32, n);
  return {
    id: idOf(n),
    type: 'login_succeeded',
    severity: 'info',
    description: 'Somebody signed in.',
    userId: idOf(1_000_000),
    sessionId: idOf(2_000_000 + n),
    metadata: { method: 'password', n },
    createdAt: new Date(BEGIN + n * 60_000),
    personal,
    personalSalt,
    personalHash: personalDigest(personalSalt, personal),
    ...more,
  };
}

/** What may differ from event to event, personal parts aside. */
export const someFields: fc.Arbitrary<Partial<ChainedEvent>> = fc.record(
  {
    type: fc.string(),
    severity: fc.constantFrom(...SEVERITIES),
    description: fc.string({ unit: 'grapheme' }),
    userId: fc.constantFrom(null, idOf(1_000_000), idOf(1_000_001)),
    sessionId: fc.constantFrom(null, idOf(2_000_000)),
    metadata: fc.dictionary(fc.string(), fc.jsonValue()),
  },
  { requiredKeys: [] },
);

/** A log that was written and sealed as it should be, in memory, and may be tampered with. */
export class TestLog implements ChainSource {
  seals: Seal[] = [];
  readonly events = new Map<Uuid, ChainedEvent>();
  readonly waiting = new Set<Uuid>();
  beginning: ChainBase = { ...GENESIS, droppedBefore: null };

  constructor(events: readonly ChainedEvent[]) {
    let head: ChainHead = GENESIS;
    for (const event of events) {
      const seal = sealNext(head, event, new Date(event.createdAt.getTime() + 100));
      this.seals.push(seal);
      this.events.set(event.id, event);
      head = seal;
    }
  }

  /** To tamper with. */
  copy(): TestLog {
    const log = new TestLog([]);
    log.seals = [...this.seals];
    for (const [id, event] of this.events) log.events.set(id, event);
    return log;
  }

  /** The seal with this number. */
  seal(sequence: number): Seal {
    const seal = this.seals.find((one) => one.sequence === BigInt(sequence));
    if (seal === undefined) throw new Error(`no seal ${sequence}`);
    return seal;
  }

  /** The event of the seal with this number. */
  event(sequence: number): ChainedEvent {
    const event = this.events.get(this.seal(sequence).eventId);
    if (event === undefined) throw new Error(`no event ${sequence}`);
    return event;
  }

  changeEvent(sequence: number, change: Partial<ChainedEvent>): void {
    const event = this.event(sequence);
    this.events.set(event.id, { ...event, ...change });
  }

  changeSeal(sequence: number, change: Partial<Seal>): void {
    const seal = this.seal(sequence);
    this.seals[this.seals.indexOf(seal)] = { ...seal, ...change };
  }

  removeSeal(sequence: number): void {
    this.seals.splice(this.seals.indexOf(this.seal(sequence)), 1);
  }

  removeEvent(sequence: number): void {
    this.events.delete(this.seal(sequence).eventId);
  }

  /** As a purge does. */
  purge(sequence: number): void {
    this.changeEvent(sequence, { personal: NOTHING, personalSalt: null });
  }

  async base(): Promise<ChainBase> {
    return this.beginning;
  }

  async head(): Promise<ChainHead> {
    return this.#sorted().at(-1) ?? this.beginning;
  }

  async sealsAfter(sequence: bigint, limit: number): Promise<Seal[]> {
    return this.#sorted()
      .filter((seal) => seal.sequence > sequence)
      .slice(0, limit);
  }

  async eventsOf(ids: readonly Uuid[]): Promise<ChainedEvent[]> {
    return ids.flatMap((id) => this.events.get(id) ?? []);
  }

  async unsealedEvents(limit: number): Promise<Uuid[]> {
    const sealed = new Set(this.seals.map(({ eventId }) => eventId));
    return [...this.events.keys()].filter((id) => !sealed.has(id) && !this.waiting.has(id)).slice(0, limit);
  }

  #sorted(): Seal[] {
    return this.seals.toSorted((a, b) => Number(a.sequence - b.sequence));
  }
}
