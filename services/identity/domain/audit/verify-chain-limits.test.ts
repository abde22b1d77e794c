import { expect, test } from 'vitest';
import type { Seal } from './chain.ts';
import type { ChainBase } from './chain-source.ts';
import { eventOf, idOf, TestLog } from './testing-log.ts';
import { verifyChain } from './verify-chain.ts';

const LONG = Array.from({ length: 1_700 }, (_, index) => eventOf(index + 1));
const otherHash = Buffer.from('another hash'.padEnd(32));

/** As a log would be that was written so from the beginning. */
function rewritten(log: TestLog, sequence: number): TestLog {
  const events = log.seals.map((_, index) => log.event(index + 1));
  return new TestLog(
    events.map((event, index) => (index + 1 === sequence ? { ...event, type: 'x' } : event)),
  );
}

/** Drops the seals and events up to here, as retention does. */
function dropUntil(log: TestLog, sequence: number): void {
  const { chainHash } = log.seal(sequence);
  log.seals = log.seals.filter((seal) => seal.sequence > BigInt(sequence));
  for (const id of log.events.keys()) if (id <= idOf(sequence)) log.events.delete(id);
  log.beginning = { sequence: BigInt(sequence), chainHash, droppedBefore: idOf(sequence + 1) };
}

test('a tail that was cut off is found by an anchor, and told once', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const anchors = [log.seal(12), log.seal(20), log.seal(16)];
  for (let sequence = 20; sequence > 14; sequence--) {
    log.removeEvent(sequence);
    log.removeSeal(sequence);
  }
  expect((await verifyChain(log)).findings).toEqual([]);
  expect((await verifyChain(log, { anchors })).findings).toMatchObject([
    { kind: 'TRUNCATED', sequence: 15n, lastSequence: 20n },
  ]);
});

test('a whole log that was deleted is found by an anchor', async () => {
  const anchors = [new TestLog(LONG.slice(0, 20)).seal(20)];
  expect((await verifyChain(new TestLog([]), { anchors })).findings).toMatchObject([
    { kind: 'TRUNCATED', sequence: 1n, lastSequence: 20n },
  ]);
});

test('a tail that was cut off is found by the head that is stored', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const head = log.seal(20);
  log.removeEvent(20);
  log.removeSeal(20);
  log.head = async () => head;
  expect((await verifyChain(log)).findings).toMatchObject([{ kind: 'TRUNCATED', sequence: 20n }]);
});

test('a log that was written anew is found by the first anchor behind the change', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const anchors = [log.seal(5), log.seal(10), log.seal(15), log.seal(20)];
  const forged = rewritten(log, 8);
  expect((await verifyChain(forged)).findings).toEqual([]);
  expect((await verifyChain(forged, { anchors })).findings).toMatchObject([
    { kind: 'ANCHOR_MISMATCH', sequence: 10n },
  ]);
});

test('two anchors with one number are both compared', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const anchors = [log.seal(10), { sequence: 10n, chainHash: otherHash }];
  expect((await verifyChain(log, { anchors })).findings).toMatchObject([{ kind: 'ANCHOR_MISMATCH' }]);
});

test('behind a checkpoint of retention it verifies, and says which anchors can not be checked any more', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const anchors = [log.seal(5), log.seal(8), log.seal(12)];
  dropUntil(log, 8);
  expect(await verifyChain(log, { anchors })).toMatchObject({
    verified: 12n,
    firstSequence: 9n,
    findings: [],
    uncheckedAnchors: [5n],
  });
  log.beginning = { ...log.beginning, chainHash: otherHash };
  expect((await verifyChain(log, { anchors })).findings).toMatchObject([
    { kind: 'ANCHOR_MISMATCH', sequence: 8n },
    { kind: 'SEAL_CHANGED', sequence: 9n },
  ]);
});

test('a log that retention emptied verifies', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  dropUntil(log, 20);
  expect(await verifyChain(log)).toMatchObject({ verified: 0n, head: { sequence: 20n }, findings: [] });
});

test('events from before the checkpoint may be gone, and others may not', async () => {
  const log = new TestLog([...LONG.slice(0, 10), eventOf(3_000), eventOf(12), eventOf(13)]);
  dropUntil(log, 10);
  log.beginning = { ...log.beginning, droppedBefore: idOf(13) };
  log.removeEvent(12);
  expect((await verifyChain(log)).findings).toEqual([]);
  log.removeEvent(13);
  expect((await verifyChain(log)).findings).toMatchObject([{ kind: 'EVENT_MISSING', sequence: 13n }]);
});

test('retention that comes meanwhile is no finding', async () => {
  const log = new TestLog(LONG);
  const read = log.sealsAfter.bind(log);
  log.sealsAfter = async (sequence, limit) => {
    if (sequence > 0n && log.beginning.sequence === 0n) dropUntil(log, 1_200);
    return await read(sequence, limit);
  };
  expect(await verifyChain(log)).toMatchObject({ verified: 999n, findings: [], isComplete: true });
});

test('behind a checkpoint that came meanwhile, the first seal is checked as any other', async () => {
  const log = new TestLog(LONG);
  log.changeSeal(1_201, { eventHash: otherHash });
  const read = log.sealsAfter.bind(log);
  log.sealsAfter = async (sequence, limit) => {
    if (sequence > 0n && log.beginning.sequence === 0n) dropUntil(log, 1_200);
    return await read(sequence, limit);
  };
  expect((await verifyChain(log)).findings).toMatchObject([{ kind: 'SEAL_CHANGED', sequence: 1_201n }]);
});

test('events that retention drops between their seals and themselves are no finding', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const read = log.eventsOf.bind(log);
  log.eventsOf = async (ids) => {
    dropUntil(log, 12);
    return await read(ids);
  };
  expect(await verifyChain(log)).toMatchObject({ verified: 20n, findings: [] });
});

test('nor are more of them than it has room for: it goes on to the end', async () => {
  const log = new TestLog(LONG);
  const anchors = [log.seal(1_700)];
  const read = log.eventsOf.bind(log);
  log.eventsOf = async (ids) => {
    if (log.beginning.sequence === 0n) dropUntil(log, 1_200);
    return await read(ids);
  };
  expect(await verifyChain(log, { anchors })).toMatchObject({
    findings: [],
    isComplete: true,
    head: { sequence: 1_700n },
  });
});

test('seals that come meanwhile are verified, too', async () => {
  const log = new TestLog(LONG.slice(0, 600));
  const longer = new TestLog(LONG);
  const read = log.eventsOf.bind(log);
  log.eventsOf = async (ids) => {
    log.seals = longer.seals;
    for (const event of longer.events.values()) log.events.set(event.id, event);
    return await read(ids);
  };
  expect(await verifyChain(log)).toMatchObject({ verified: 1_700n, findings: [], isComplete: true });
});

test('a big log is verified in pieces, each from the head of the one before', async () => {
  const log = new TestLog(LONG);
  log.changeEvent(650, { type: 'x' });
  let from: ChainBase | Seal | { sequence: bigint; chainHash: Buffer } = log.beginning;
  const kinds: unknown[] = [];
  let verified = 0n;
  for (let isComplete = false; !isComplete; ) {
    const piece = await verifyChain(log, { from, maxEntries: 600n });
    expect(piece.firstSequence).toBe(from.sequence + 1n);
    kinds.push(...piece.findings.map(({ kind, sequence }) => [kind, sequence]));
    verified += piece.verified;
    from = piece.head;
    isComplete = piece.isComplete;
  }
  expect([verified, kinds]).toEqual([1_700n, [['EVENT_CHANGED', 650n]]]);
});

test('from an anchor, the entry of the anchor is compared with it and those before are not looked at', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const from = log.seal(10);
  log.changeEvent(5, { type: 'x' });
  expect(await verifyChain(log, { from, anchors: [log.seal(3)] })).toMatchObject({
    verified: 10n,
    firstSequence: 11n,
    findings: [],
    uncheckedAnchors: [3n],
  });
  expect((await verifyChain(rewritten(log, 8), { from })).findings).toMatchObject([
    { kind: 'ANCHOR_MISMATCH', sequence: 10n },
  ]);
  log.changeSeal(11, { eventHash: otherHash });
  expect((await verifyChain(log, { from })).findings).toMatchObject([
    { kind: 'SEAL_CHANGED', sequence: 11n },
  ]);
});

test('from an anchor whose seal is gone, it is found', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const from = log.seal(10);
  log.removeEvent(10);
  log.removeSeal(10);
  expect((await verifyChain(log, { from })).findings).toMatchObject([
    { kind: 'SEAL_MISSING', sequence: 10n, lastSequence: 10n },
  ]);
});

test('from an anchor behind the end, the cut is found', async () => {
  const from = new TestLog(LONG.slice(0, 20)).seal(20);
  expect(await verifyChain(new TestLog(LONG.slice(0, 15)), { from })).toMatchObject({
    verified: 0n,
    head: { sequence: 15n },
    findings: [{ kind: 'TRUNCATED', sequence: 16n, lastSequence: 20n }],
  });
});

test('from an anchor from before the checkpoint it begins at the checkpoint', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  const from = log.seal(5);
  dropUntil(log, 8);
  expect(await verifyChain(log, { from })).toMatchObject({
    firstSequence: 9n,
    findings: [],
    uncheckedAnchors: [5n],
  });
});

test('it stops at as many findings as may be', async () => {
  const log = new TestLog(LONG);
  for (let sequence = 1; sequence <= 1_700; sequence += 2) log.changeEvent(sequence, { type: 'x' });
  const result = await verifyChain(log, { maxFindings: 5 });
  expect(result.findings.map(({ sequence }) => sequence)).toEqual([1n, 3n, 5n, 7n, 9n]);
  expect(result.isComplete).toBe(false);
  expect(result.verified).toBeLessThan(500n);
});

test('more seals with one number than are read at once do not keep it from its end', async () => {
  const log = new TestLog(LONG.slice(0, 20));
  for (let n = 0; n < 700; n++) log.seals.push({ ...log.seal(7), eventId: idOf(1_000 + n) });
  const { findings, isComplete } = await verifyChain(log, { maxFindings: 1_000 });
  expect(new Set(findings.map(({ kind, sequence }) => `${kind} ${sequence}`))).toEqual(
    new Set(['DUPLICATE_SEQUENCE 7']),
  );
  expect(isComplete).toBe(true);
});

test('it ends when it is told to', async () => {
  const log = new TestLog(LONG);
  const abort = new AbortController();
  const read = log.eventsOf.bind(log);
  log.eventsOf = async (ids) => {
    abort.abort(new Error('enough'));
    return await read(ids);
  };
  await expect(verifyChain(log, { signal: abort.signal })).rejects.toThrow('enough');
});
