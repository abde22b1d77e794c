import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CursorExpired } from '../../domain/audit/errors.ts';
import type { SealedLog } from '../../domain/audit/sealed-log.ts';
import { readWatchCursor, writeWatchCursor } from '../../domain/audit/watch-cursor.ts';
import {
  SecurityEventWatch,
  type WatchPart,
  type WatchStart,
} from '../../domain/audit/watch-security-events.ts';
import { TooManyWatchers } from '../../domain/errors.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { SealedEvents } from './sealed-events.ts';
import { newId, TestAuditLog } from './testing-audit-log.ts';

const ALL = { types: [], minSeverity: null };

let db: TestOrm;
let log: TestAuditLog;
let end: AbortController;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  log = new TestAuditLog(db);
  await log.empty();
  end = new AbortController();
});
afterEach(async () => {
  end.abort();
  await log[Symbol.asyncDispose]();
});

const idsOf = (parts: readonly WatchPart[]): Uuid[] =>
  parts.flatMap(({ entries }) => entries.map(({ event }) => event.id));

/** The start that the cursor of a part's place stands for. */
function after({ place }: WatchPart): WatchStart {
  const start = readWatchCursor(writeWatchCursor(place));
  if (start === undefined) throw new Error('a cursor can not be read');
  return start;
}

async function take(parts: AsyncGenerator<WatchPart>): Promise<WatchPart> {
  const { value, done } = await parts.next();
  if (done === true) throw new Error('the stream has ended');
  return value;
}

/** Reads parts until there are so many events. */
async function readEvents(parts: AsyncGenerator<WatchPart>, count: number): Promise<WatchPart[]> {
  const read: WatchPart[] = [];
  while (idsOf(read).length < count) read.push(await take(parts));
  return read;
}

/** The log, and how often it was asked for what. */
function counting(): { readonly log: SealedLog; readonly asked: Record<'head' | 'after', number> } {
  const sealed = new SealedEvents(db.orm.em);
  const asked = { head: 0, after: 0 };
  const counted: SealedLog = {
    base: () => sealed.base(),
    placeAt: (sequence) => sealed.placeAt(sequence),
    head: () => {
      asked.head += 1;
      return sealed.head();
    },
    after: (...of) => {
      asked.after += 1;
      return sealed.after(...of);
    },
  };
  return { log: counted, asked };
}

test('begins with a sign of life, and tells what is sealed from then on, in order', async () => {
  const sealer = log.startSealer();
  await log.appendMany(3);
  await log.sealed();
  const parts = log.watch.watch('end', ALL, end.signal);
  const first = await take(parts);
  expect(first).toMatchObject({ entries: [], place: { sequence: 3n } });
  const fresh = await log.appendMany(5);
  sealer.wake();
  const told = await readEvents(parts, 5);
  expect(idsOf(told)).toEqual(fresh.map(({ id }) => id));
  expect(told.flatMap(({ entries }) => entries.map(({ event }) => event.sequence))).toEqual([
    4n,
    5n,
    6n,
    7n,
    8n,
  ]);
});

test('from the beginning, batch by batch', async () => {
  await Promise.all(Array.from({ length: 10 }, () => log.appendMany(45)));
  log.startSealer();
  await log.sealed();
  const told = await readEvents(log.watch.watch('beginning', ALL, end.signal), 450);
  const sealed = await db.rows('select event_id from user_service.security_event_seals order by sequence');
  expect(idsOf(told)).toEqual(sealed.map(({ event_id: id }) => id));
  expect(Math.max(...told.map(({ entries }) => entries.length))).toBe(200);
});

test('an event is told within a second of its commit', async () => {
  const sealer = log.startSealer({ pollMs: 60_000 });
  const parts = log.watch.watch('end', ALL, end.signal);
  await take(parts);
  for (let round = 0; round < 5; round += 1) {
    await log.append();
    const startedAt = performance.now();
    sealer.wake();
    await readEvents(parts, 1);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  }
});

test('tells what is asked for only, and is nevertheless past the rest', async () => {
  log.startSealer();
  const parts = log.watch.watch('end', { types: ['a', 'b'], minSeverity: 'high' }, end.signal);
  await take(parts);
  await log.append({ type: 'a', severity: 'medium' });
  const wanted = [
    await log.append({ type: 'a', severity: 'high' }),
    await log.append({ type: 'b', severity: 'critical' }),
  ];
  await log.append({ type: 'c', severity: 'critical' });
  await log.appendMany(3);
  const told = await readEvents(parts, 2);
  expect(idsOf(told)).toEqual(wanted.map(({ id }) => id));
  let place = told.at(-1)?.place;
  while (place?.sequence !== 7n) {
    const { place: next, entries } = await take(parts);
    expect(entries).toEqual([]);
    place = next;
  }
});

test('gives signs of life while nothing happens', async () => {
  const parts = log.watch.watch('end', ALL, end.signal);
  await take(parts);
  for (let times = 0; times < 3; times += 1) {
    const before = performance.now();
    expect((await take(parts)).entries).toEqual([]);
    expect(performance.now() - before).toBeLessThan(1500);
  }
});

test('nothing is left out or told twice, however often watchers resume and sealers are replaced, under load', async () => {
  let isOver = false;
  const replacing = (async () => {
    while (!isOver) {
      const sealers = [log.startSealer(), log.startSealer()];
      await sleep(Math.random() * 100);
      await Promise.all(sealers.map((sealer) => sealer[Symbol.asyncDispose]()));
    }
  })();
  const told: Uuid[][] = [[], [], []];
  const watchers = told.map(async (ids) => {
    let start: WatchStart | 'beginning' = 'beginning';
    while (ids.length < 1200) {
      // As at another replica.
      const watch = new SecurityEventWatch(new SealedEvents(db.orm.em));
      const parts = watch.watch(start, ALL, end.signal);
      for (let count = 1 + Math.floor(Math.random() * 4); count > 0; count -= 1) {
        const part = await take(parts);
        ids.push(...idsOf([part]));
        start = after(part);
        if (ids.length >= 1200) break;
      }
      await parts.return(undefined);
    }
  });
  const written = await Promise.all(Array.from({ length: 20 }, () => log.appendMany(60)));
  await Promise.all(watchers);
  isOver = true;
  await replacing;
  const sealed = await db.rows('select event_id from user_service.security_event_seals order by sequence');
  expect(new Set(sealed.map(({ event_id: id }) => id))).toEqual(new Set(written.flat().map(({ id }) => id)));
  for (const ids of told) expect(ids).toEqual(sealed.map(({ event_id: id }) => id));
}, 60_000);

describe('a cursor', () => {
  /** What retention does: the checkpoint, and then the seals and events are gone. */
  async function dropUpTo(sequence: number): Promise<void> {
    await db.rows(
      `with dropped as (delete from user_service.security_event_seals where sequence <= $1
         returning event_id, sequence, chain_hash),
       gone as (delete from user_service.security_events where id in (select event_id from dropped))
       insert into user_service.security_event_checkpoints (sequence, chain_hash, dropped_before)
       select sequence, chain_hash, event_id from dropped where sequence = $1`,
      [sequence],
    );
  }

  /** A cursor after the third of six entries. */
  async function cursorAfterThird(): Promise<WatchStart> {
    log.startSealer();
    await log.appendMany(3);
    await log.sealed();
    const place = await log.chain.head();
    await log.appendMany(3);
    await log.sealed();
    return after({ entries: [], place });
  }

  test('goes on behind what was told, at another process too', async () => {
    const start = await cursorAfterThird();
    const watch = new SecurityEventWatch(new SealedEvents(db.orm.em));
    const told = await readEvents(watch.watch(start, ALL, end.signal), 3);
    expect(told.flatMap(({ entries }) => entries.map(({ place }) => place.sequence))).toEqual([4n, 5n, 6n]);
  });

  test('goes on where retention has dropped all that is before it, and no more', async () => {
    const start = await cursorAfterThird();
    await dropUpTo(3);
    expect(idsOf(await readEvents(log.watch.watch(start, ALL, end.signal), 3))).toHaveLength(3);
  });

  test('is refused where retention has dropped what comes after it', async () => {
    const start = await cursorAfterThird();
    await dropUpTo(4);
    await expect(log.watch.watch(start, ALL, end.signal).next()).rejects.toThrow(CursorExpired);
  });

  test('is refused where the log is another one now, as after a restore', async () => {
    const start = await cursorAfterThird();
    await log.empty();
    await expect(log.watch.watch(start, ALL, end.signal).next()).rejects.toThrow(CursorExpired);
    await log.appendMany(5);
    await log.sealed();
    await expect(log.watch.watch(start, ALL, end.signal).next()).rejects.toThrow(CursorExpired);
  });

  test('is refused where only the events are gone yet', async () => {
    const start = await cursorAfterThird();
    const [seal] = await db.rows('select * from user_service.security_event_seals where sequence = 4');
    await dropUpTo(4);
    await db.rows('insert into user_service.security_event_seals values ($1, $2, $3, $4, $5)', [
      ...['event_id', 'sequence', 'event_hash', 'chain_hash', 'sealed_at'].map((column) => seal?.[column]),
    ]);
    await expect(log.watch.watch(start, ALL, end.signal).next()).rejects.toThrow(CursorExpired);
  });

  test('a stream ends where retention overtakes its reader, or the log is another one', async () => {
    await cursorAfterThird();
    const slow = log.watch.watch('beginning', ALL, end.signal);
    await take(slow);
    await dropUpTo(2);
    await expect(readEvents(slow, 4)).rejects.toThrow(CursorExpired);

    const parts = log.watch.watch('end', ALL, end.signal);
    await take(parts);
    await log.empty();
    await expect(readEvents(parts, 1)).rejects.toThrow(CursorExpired);
  });

  test('travels as a text, and no other text is one', () => {
    const place = { sequence: 123n, chainHash: Buffer.alloc(32, 7) };
    const text = writeWatchCursor(place);
    expect(readWatchCursor(text)).toEqual({ sequence: 123n, hash: Buffer.alloc(16, 7) });
    const hash = '07'.repeat(16);
    const plain = (words: string) => Buffer.from(words).toString('base64url');
    for (const wrong of [
      '',
      'x',
      `${text}=`,
      ` ${text}`,
      plain(`0123.${hash}`),
      plain(`-1.${hash}`),
      plain('1.07'),
    ]) {
      expect(readWatchCursor(wrong)).toBeUndefined();
    }
    expect(readWatchCursor(plain(`9223372036854775807.${hash}`))).toBeDefined();
    expect(readWatchCursor(plain(`9223372036854775808.${hash}`))).toBeUndefined();
  });
});

test('many idle watchers cost one look at the end of the chain, four times a second', async () => {
  const { log: counted, asked } = counting();
  const watch = new SecurityEventWatch(counted);
  const streams = Array.from({ length: 60 }, () => watch.watch('beginning', ALL, end.signal));
  await Promise.all(streams.map((stream) => stream.next()));
  const waiting = streams.map((stream) => stream.next().catch(() => undefined));
  await sleep(500);
  asked.head = 0;
  asked.after = 0;
  await sleep(2000);
  expect(asked.after).toBe(0);
  expect(asked.head).toBeGreaterThan(0);
  expect(asked.head).toBeLessThanOrEqual(9);
  end.abort();
  await Promise.all(waiting);
});

test('many watchers of a log that grows all the time share 200 reads a second, and each gets every event', async () => {
  const { log: counted, asked } = counting();
  const watch = new SecurityEventWatch(counted);
  const sealer = log.startSealer({ onSealed: () => watch.wake() });
  const streams = Array.from({ length: 60 }, () => watch.watch('end', ALL, end.signal));
  await Promise.all(streams.map((stream) => stream.next()));
  asked.after = 0;
  const beganAt = performance.now();
  const read = streams.map((stream) => readEvents(stream, 60));
  for (let n = 0; n < 60; n += 1) {
    await log.append();
    sealer.wake();
    await sleep(25);
  }
  const told = (await Promise.all(read)).map(idsOf);
  const seconds = (performance.now() - beganAt) / 1000;
  // Besides the first one of each.
  expect(asked.after - 60).toBeLessThanOrEqual(210 * seconds);
  for (const ids of told) expect(ids).toEqual(told[0]);
});

test('a watcher that does not read has no more read for it', async () => {
  const { log: counted, asked } = counting();
  const watch = new SecurityEventWatch(counted);
  log.startSealer();
  const parts = watch.watch('beginning', ALL, end.signal);
  await take(parts);
  await Promise.all(Array.from({ length: 10 }, () => log.appendMany(60)));
  await log.sealed();
  await take(parts);
  asked.after = 0;
  await sleep(700);
  expect(asked.after).toBe(0);
});

test('so many may watch, and a place is free again when a stream ends', async () => {
  const ends = Array.from({ length: 100 }, () => new AbortController());
  const streams = ends.map(({ signal }) => log.watch.watch('end', ALL, signal));
  await Promise.all(streams.map((stream) => stream.next()));
  await expect(log.watch.watch('end', ALL, end.signal).next()).rejects.toThrow(TooManyWatchers);
  const waiting = streams[0]?.next();
  ends[0]?.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  expect((await log.watch.watch('end', ALL, end.signal).next()).done).toBe(false);
  for (const stream of streams) await stream.return(undefined);
});

test('an outage ends the streams, which can be resumed', async () => {
  log.startSealer();
  const parts = log.watch.watch('end', ALL, end.signal);
  const first = await take(parts);
  await db.rows('alter table user_service.security_event_seals rename to away');
  await expect(readEvents(parts, 1)).rejects.toThrow();
  await db.rows('alter table user_service.away rename to security_event_seals');
  const { id } = await log.append({ id: newId() });
  const told = await readEvents(log.watch.watch(after(first), ALL, end.signal), 1);
  expect(idsOf(told)).toEqual([id]);
});
