import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { IpAddress } from '../ip-address.ts';
import type { Uuid } from '../uuid.ts';
import { type Seal, sealNext } from './chain.ts';
import { type ChainedEvent, eventHash } from './event-hash.ts';
import type { FindingKind } from './finding.ts';
import { eventOf, idOf, someFields, TestLog } from './testing-log.ts';
import { verifyChain } from './verify-chain.ts';

type Found = [kind: FindingKind, sequence: number | null, eventId?: Uuid | null];

async function found(log: TestLog, anchors: readonly Seal[] = []): Promise<Found[]> {
  const { findings } = await verifyChain(log, { anchors });
  return findings.map(({ kind, sequence, eventId }) => [
    kind,
    sequence === null ? null : Number(sequence),
    eventId,
  ]);
}

/** A tampering with the places a and b, where a < b < the last one, and what is found of it, and no more. */
type Tampering = (log: TestLog, a: number, b: number) => Found[];

function edit(change: (event: ChainedEvent) => Partial<ChainedEvent>, ...kinds: FindingKind[]): Tampering {
  return (log, a) => {
    const event = log.event(a);
    log.changeEvent(a, change(event));
    return kinds.map((kind) => [kind, a, event.id]);
  };
}

function exchange(...fields: (keyof Seal)[]): Tampering {
  return (log, a, b) => {
    const [one, two] = [log.seal(a), log.seal(b)];
    const pick = (seal: Seal) => Object.fromEntries(fields.map((field) => [field, seal[field]]));
    log.seals = log.seals.map((seal) => {
      if (seal === one) return { ...one, ...pick(two) };
      return seal === two ? { ...two, ...pick(one) } : seal;
    });
    return [
      ['REORDERED', a, log.seal(a).eventId],
      ['REORDERED', b, log.seal(b).eventId],
    ];
  };
}

const otherId = idOf(3_000_000);
const otherHash = Buffer.from('another hash'.padEnd(32));

const TAMPERINGS: Record<string, Tampering> = {
  'a type': edit(({ type }) => ({ type: `${type}x` }), 'EVENT_CHANGED'),
  'a severity': edit(({ severity }) => ({ severity: severity === 'low' ? 'high' : 'low' }), 'EVENT_CHANGED'),
  'a description': edit(({ description }) => ({ description: `${description} ` }), 'EVENT_CHANGED'),
  'a user': edit(({ userId }) => ({ userId: userId === null ? otherId : null }), 'EVENT_CHANGED'),
  'a session': edit(() => ({ sessionId: otherId }), 'EVENT_CHANGED'),
  metadata: edit(({ metadata }) => ({ metadata: { ...metadata, more: null } }), 'EVENT_CHANGED'),
  'a time': edit(({ createdAt }) => ({ createdAt: new Date(createdAt.getTime() + 1) }), 'EVENT_CHANGED'),
  'a time that is no date': edit(() => ({ createdAt: new Date(Number.NaN) }), 'EVENT_CHANGED'),
  'a personal hash': edit(() => ({ personalHash: otherHash }), 'EVENT_CHANGED', 'PERSONAL_PART_CHANGED'),
  'all of a personal hash': edit(() => ({ personalHash: null }), 'EVENT_CHANGED', 'PERSONAL_PART_CHANGED'),
  'a device': edit(({ personal }) => ({ personal: { ...personal, id: 'x' } }), 'PERSONAL_PART_CHANGED'),
  'a fingerprint': edit(
    ({ personal }) => ({ personal: { ...personal, fingerprint: null } }),
    'PERSONAL_PART_CHANGED',
  ),
  'an address': edit(
    ({ personal }) => ({ personal: { ...personal, ipAddress: '::1' as IpAddress } }),
    'PERSONAL_PART_CHANGED',
  ),
  'a user agent': edit(
    ({ personal }) => ({ personal: { ...personal, userAgent: '' } }),
    'PERSONAL_PART_CHANGED',
  ),
  'a salt': edit(() => ({ personalSalt: otherHash }), 'PERSONAL_PART_CHANGED'),
  'a salt that is gone alone': edit(() => ({ personalSalt: null }), 'PERSONAL_PART_CHANGED'),
  'an event that is gone': (log, a) => {
    const { id } = log.event(a);
    log.removeEvent(a);
    return [['EVENT_MISSING', a, id]];
  },
  'an event that got another id': (log, a) => {
    const event = log.event(a);
    log.removeEvent(a);
    log.events.set(otherId, { ...event, id: otherId });
    return [
      ['EVENT_MISSING', a, event.id],
      ['UNSEALED_EVENT', null, otherId],
    ];
  },
  'a seal that is gone': (log, a) => {
    const { id } = log.event(a);
    log.removeSeal(a);
    return [
      ['SEAL_MISSING', a, null],
      ['UNSEALED_EVENT', null, id],
    ];
  },
  'entries that are gone with their seals': (log, a, b) => {
    for (let sequence = a; sequence <= b; sequence++) {
      log.removeEvent(sequence);
      log.removeSeal(sequence);
    }
    return [['SEAL_MISSING', a, null]];
  },
  'a seal that got a number behind the end': (log, a) => {
    const end = log.seals.length;
    log.changeSeal(a, { sequence: BigInt(end + 5) });
    return [
      ['SEAL_MISSING', a, null],
      ['SEAL_MISSING', end + 1, null],
    ];
  },
  'the event of a seal': (log, a) => {
    const { id } = log.event(a);
    log.changeSeal(a, { eventId: otherId });
    return [
      ['SEAL_CHANGED', a, otherId],
      ['UNSEALED_EVENT', null, id],
    ];
  },
  'the event hash of a seal': (log, a) => {
    log.changeSeal(a, { eventHash: otherHash });
    return [['SEAL_CHANGED', a, log.seal(a).eventId]];
  },
  'an event and the hash of it': (log, a) => {
    log.changeEvent(a, { description: 'forged' });
    log.changeSeal(a, { eventHash: eventHash(log.event(a)) });
    return [['SEAL_CHANGED', a, log.seal(a).eventId]];
  },
  'the chain hash of a seal': (log, a) => {
    log.changeSeal(a, { chainHash: otherHash });
    return [['SEAL_CHANGED', a, log.seal(a).eventId]];
  },
  'the chain hash of a seal, and its event': (log, a) => {
    const { id } = log.event(a);
    log.changeSeal(a, { chainHash: otherHash });
    log.changeEvent(a, { description: 'forged' });
    return [
      ['SEAL_CHANGED', a, id],
      ['EVENT_CHANGED', a, id],
    ];
  },
  'the order, by the numbers of seals': exchange('sequence'),
  'the order, by all of seals but their numbers': exchange('eventId', 'eventHash', 'chainHash'),
  'the order, by the events of seals': exchange('eventId'),
  'the order, by the event hashes of seals': exchange('eventHash'),
  'the order, by the events of seals and their hashes': exchange('eventId', 'eventHash'),
  'the order, by the chain hashes of seals': exchange('chainHash'),
  'the order, by the content of events': (log, a, b) => {
    const [one, two] = [log.event(a), log.event(b)];
    log.changeEvent(a, { ...two, id: one.id });
    log.changeEvent(b, { ...one, id: two.id });
    return [
      ['REORDERED', a, one.id],
      ['REORDERED', b, two.id],
    ];
  },
  'an exchange of seals, and the event of one': (log, a, b) => {
    const { id } = log.event(a);
    log.changeEvent(a, { description: 'forged' });
    const [first, second] = exchange('eventId', 'eventHash')(log, a, b);
    if (first === undefined || second === undefined) throw new Error('no exchange');
    return [first, ['EVENT_CHANGED', a, id], second];
  },
  'a forged event': (log) => {
    log.events.set(otherId, { ...eventOf(1), id: otherId });
    return [['UNSEALED_EVENT', null, otherId]];
  },
  'a forged seal with a number that there is': (log, a) => {
    const before = a === 1 ? log.beginning : log.seal(a - 1);
    const forged = { ...eventOf(1), id: otherId };
    log.events.set(otherId, forged);
    log.seals.unshift(sealNext(before, forged, new Date(0)));
    return [['DUPLICATE_SEQUENCE', a, otherId]];
  },
  'a second seal of another event': (log, a, b) => {
    log.seals.push({ ...log.seal(a), sequence: BigInt(b) });
    return [['DUPLICATE_SEQUENCE', b, log.seal(a).eventId]];
  },
};

/** Numbers of the purged entries, and two places, in a log of some length. */
const scene = fc.array(someFields, { minLength: 3, maxLength: 25 }).chain((fields) =>
  fc.record({
    fields: fc.constant(fields),
    places: fc.uniqueArray(fc.integer({ min: 1, max: fields.length - 1 }), { minLength: 2, maxLength: 2 }),
    purged: fc.uniqueArray(fc.integer({ min: 1, max: fields.length })),
  }),
);

test('an honest log verifies, with anchors anywhere and after purges', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(someFields, { maxLength: 25 }),
      fc.infiniteStream(fc.boolean()),
      async (fields, coins) => {
        const log = new TestLog(fields.map((more, index) => eventOf(index + 1, more)));
        const anchors = log.seals.filter(() => coins.next().value);
        for (let sequence = 1; sequence <= fields.length; sequence++)
          if (coins.next().value) log.purge(sequence);
        const last = log.seals.at(-1);
        expect(await verifyChain(log, { anchors })).toEqual({
          verified: BigInt(fields.length),
          firstSequence: 1n,
          head: { sequence: last?.sequence ?? 0n, chainHash: last?.chainHash ?? Buffer.alloc(32) },
          findings: [],
          isComplete: true,
          uncheckedAnchors: [],
        });
      },
    ),
  );
});

test.each(Object.entries(TAMPERINGS))('finds and names %s', async (_, tamper) => {
  await fc.assert(
    fc.asyncProperty(scene, async ({ fields, places, purged }) => {
      const [a = 0, b = 0] = places.toSorted((one, two) => one - two);
      const log = new TestLog(fields.map((more, index) => eventOf(index + 1, more)));
      for (const sequence of purged) if (!places.includes(sequence)) log.purge(sequence);
      const expected = tamper(log, a, b);
      expect(await found(log)).toEqual(expected);
    }),
    { numRuns: 25 },
  );
});

/** Reading is in batches of 500. */
const LONG = Array.from({ length: 1_700 }, (_, index) => eventOf(index + 1));

test.each([
  [499, 500],
  [500, 501],
  [501, 502],
  [1, 1_699],
  [999, 1_000],
])('finds and names each across batches, at %i and %i', async (a, b) => {
  const honest = new TestLog(LONG);
  for (const [name, tamper] of Object.entries(TAMPERINGS)) {
    const log = honest.copy();
    const expected = tamper(log, a, b);
    expect([name, await found(log)]).toEqual([name, expected]);
  }
});

test('events that wait for their seal are no finding', async () => {
  const log = new TestLog(LONG.slice(0, 3));
  log.events.set(idOf(4), eventOf(4));
  log.waiting.add(idOf(4));
  expect(await found(log)).toEqual([]);
});

test('entries from before the personal hash was kept have nothing to vouch for their personal part', async () => {
  const log = new TestLog([eventOf(1, { personalHash: null, personalSalt: null })]);
  expect(await found(log)).toEqual([]);
});

test('two tamperings are two', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  log.changeEvent(3, { type: 'x' });
  log.removeEvent(9);
  log.changeSeal(15, { chainHash: otherHash });
  const kinds = (await found(log)).map(([kind, sequence]) => [kind, sequence]);
  expect(kinds).toEqual([
    ['EVENT_CHANGED', 3],
    ['EVENT_MISSING', 9],
    ['SEAL_CHANGED', 15],
  ]);
});

test('three entries that changed places in turn are found', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const [one, two, three] = [log.seal(4), log.seal(9), log.seal(17)];
  log.changeSeal(17, { sequence: 4n });
  log.seals[log.seals.indexOf(two)] = { ...two, sequence: 17n };
  log.seals[log.seals.indexOf(one)] = { ...one, sequence: 9n };
  expect(await found(log)).toEqual([
    ['REORDERED', 4, three.eventId],
    ['REORDERED', 9, one.eventId],
    ['REORDERED', 17, two.eventId],
  ]);
});
