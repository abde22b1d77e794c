import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RevocationsInterrupted, TooManyWatchers, WatcherTooSlow } from '../domain/errors.ts';
import { readCursor, writeCursor } from '../domain/revocation-cursor.ts';
import { type LogPosition, RevocationFeed } from '../domain/revocation-feed.ts';
import { RevocationWatch, type WatchPart } from '../domain/revocation-watch.ts';
import type { Uuid } from '../domain/uuid.ts';
import { RevocationLog } from './revocation-log.ts';
import { TestIdentity } from './testing-identity.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

const USER = '019b0000-0000-7000-8000-000000000000' as Uuid;

let db: TestOrm;
let identity: TestIdentity;
let watch: RevocationWatch;
let feed: RevocationFeed;
let end: AbortController;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows('truncate user_service.revocations restart identity');
  identity = new TestIdentity(db);
  end = new AbortController();
  start();
});
afterEach(async () => {
  end.abort();
  await feed[Symbol.asyncDispose]();
});

function start(cleaningMs = 60_000): void {
  const log = new RevocationLog(db.orm.em);
  watch = new RevocationWatch(log, () => new Date());
  feed = new RevocationFeed({
    log,
    listeners: [watch.listen],
    onFailure: (error) => {
      throw error;
    },
    cleaningMs,
  });
}

/** Revokes sessions in one transaction; tells their ids. */
async function revoke(count: number): Promise<Uuid[]> {
  const ids = Array.from({ length: count }, () => uuidV7() as Uuid);
  const createdAt = new Date();
  await identity.unitOfWork.transactional(({ revocations }) =>
    revocations.add(
      ids.map((sessionId) => ({
        kind: 'session',
        sessionId,
        userId: USER,
        reason: 'revoked',
        createdAt,
      })),
    ),
  );
  return ids;
}

/** Reads parts until `isEnough`. */
async function readUntil(
  parts: AsyncGenerator<WatchPart>,
  isEnough: (read: readonly WatchPart[]) => boolean,
): Promise<WatchPart[]> {
  const read: WatchPart[] = [];
  while (!isEnough(read)) {
    const { value, done } = await parts.next();
    if (done === true) break;
    read.push(value);
  }
  return read;
}

const caughtUp = (read: readonly WatchPart[]) => read.at(-1)?.isCaughtUp === true;
const sessionsOf = (read: readonly WatchPart[]) =>
  read.flatMap(({ revocations }) =>
    revocations.map((revocation) => (revocation.kind === 'session' ? revocation.sessionId : '')),
  );
const endOf = (read: readonly WatchPart[]) => read.at(-1)?.position as LogPosition;

test('first a snapshot in pages, then what comes', async () => {
  const old = await revoke(1_200);
  const parts = watch.watch(null, end.signal);
  const snapshot = await readUntil(parts, caughtUp);
  expect(snapshot).toHaveLength(3);
  expect(snapshot.every(({ isSnapshot }) => isSnapshot)).toBe(true);
  expect(sessionsOf(snapshot)).toEqual(old);
  const fresh = await revoke(2);
  const live = await readUntil(parts, (read) => sessionsOf(read).length >= 2);
  expect(sessionsOf(live)).toEqual(fresh);
  expect(live.some(({ isSnapshot }) => isSnapshot)).toBe(false);
});

test('a revocation is told within a second of its commit', async () => {
  const parts = watch.watch(null, end.signal);
  await readUntil(parts, caughtUp);
  for (let round = 0; round < 8; round += 1) {
    await sleep(Math.random() * 300);
    await revoke(1);
    const startedAt = performance.now();
    await readUntil(parts, (read) => sessionsOf(read).length > 0);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  }
});

test('a sign of life comes every second, and tells up to when all is known', async () => {
  const parts = watch.watch(null, end.signal);
  await readUntil(parts, caughtUp);
  let before = performance.now();
  let readAt = Date.now();
  for (let times = 0; times < 4; times += 1) {
    const { value } = await parts.next();
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(value.readAt).toBeGreaterThan(readAt - 1_000);
    before = performance.now();
    readAt = value.readAt;
  }
});

describe('a cursor', () => {
  test('resumes where it was, at another process too', async () => {
    await revoke(3);
    const first = await readUntil(watch.watch(null, end.signal), caughtUp);
    const missed = await revoke(2);
    await feed[Symbol.asyncDispose]();
    start();
    const resumed = await readUntil(watch.watch(endOf(first), end.signal), caughtUp);
    expect(sessionsOf(resumed)).toEqual(missed);
    expect(resumed.some(({ isSnapshot }) => isSnapshot)).toBe(false);
  });

  test.each([
    ['is not there any more', { id: 1_000n, createdAt: 1 }],
    ['is another one now, as after a restore', { id: 1n, createdAt: 1 }],
  ])('whose revocation %s gets a snapshot', async (_case, position) => {
    const all = await revoke(3);
    const parts = await readUntil(watch.watch(position, end.signal), caughtUp);
    expect(sessionsOf(parts)).toEqual(all);
    expect(parts.every(({ isSnapshot }) => isSnapshot)).toBe(true);
  });

  test('travels as a text, and no other text is one', () => {
    const position = { id: 123n, createdAt: 1_790_000_000_000 };
    expect(readCursor(writeCursor(position))).toEqual(position);
    for (const text of [
      '',
      'x',
      'MQ',
      `${writeCursor(position)}=`,
      Buffer.from('1.2.3').toString('base64url'),
      Buffer.from('9223372036854775808.1').toString('base64url'),
    ]) {
      expect(readCursor(text)).toBeUndefined();
    }
  });
});

test('nothing is lost or told twice between the snapshot and what comes', async () => {
  const told: Uuid[][] = Array.from({ length: 6 }, () => []);
  const revoked: Uuid[] = [];
  let done = false;
  const readers = told.map(async (ids) => {
    for await (const part of watch.watch(null, end.signal)) {
      ids.push(...(sessionsOf([part]) as Uuid[]));
      if (done && ids.length >= revoked.length) return;
      if (Math.random() < 0.2) await sleep(Math.random() * 20);
    }
  });
  for (let round = 0; round < 100; round += 1) {
    const groups = await Promise.all([revoke(3), revoke(20)]);
    revoked.push(...groups.flat());
  }
  done = true;
  await revoke(1).then((ids) => revoked.push(...ids));
  await Promise.all(readers);
  for (const ids of told) {
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(revoked.toSorted());
  }
});

test('who reads too slowly is let go, and can resume', async () => {
  const parts = watch.watch(null, end.signal);
  const first = await readUntil(parts, caughtUp);
  for (let round = 0; round < 11; round += 1) await revoke(1_000);
  await sleep(700);
  await expect(readUntil(parts, () => false)).rejects.toThrow(WatcherTooSlow);
  const resumed = await readUntil(watch.watch(endOf(first), end.signal), caughtUp);
  expect(sessionsOf(resumed)).toHaveLength(11_000);
});

test('watchers are let go where the database is not the one that it was', async () => {
  await revoke(5);
  const parts = watch.watch(null, end.signal);
  const first = await readUntil(parts, caughtUp);
  await sleep(400);
  await db.rows('truncate user_service.revocations restart identity');
  const all = await revoke(6);
  await expect(readUntil(parts, () => false)).rejects.toThrow(RevocationsInterrupted);
  const resumed = await readUntil(watch.watch(endOf(first), end.signal), caughtUp);
  expect(sessionsOf(resumed)).toEqual(all);
  expect(resumed[0]?.isSnapshot).toBe(true);
});

test('so many may watch, and a place is free again when a stream ends', async () => {
  const ends = Array.from({ length: 1_000 }, () => new AbortController());
  const streams = ends.map(({ signal }) => watch.watch(null, signal));
  await Promise.all(streams.map((stream) => stream.next()));
  await expect(watch.watch(null, end.signal).next()).rejects.toThrow(TooManyWatchers);
  ends[0]?.abort(new Error('gone'));
  await expect(readUntil(streams[0] as (typeof streams)[0], () => false)).rejects.toThrow('gone');
  expect((await watch.watch(null, end.signal).next()).done).toBe(false);
  for (const one of ends) one.abort();
  await Promise.all(streams.map((stream) => stream.next().catch(() => undefined)));
});

const age = (by: string) =>
  db.rows(`update user_service.revocations set created_at = now() - interval '1 h', expires_at = ${by}`);

test('what has run out is deleted, but for the last, and not told to those who come', async () => {
  await revoke(2_500);
  await age(`now() - interval '1 s'`);
  await feed[Symbol.asyncDispose]();
  start(0);
  await expect
    .poll(() => db.rows('select id from user_service.revocations'), { timeout: 5_000 })
    .toEqual([{ id: '2500' }]);
  expect(sessionsOf(await readUntil(watch.watch(null, end.signal), caughtUp))).toEqual([]);
});

test('a position is there for those who read it just before something newer came', async () => {
  await revoke(3);
  await age(`now() - interval '1 s'`);
  const first = await readUntil(watch.watch(null, end.signal), caughtUp);
  const position = { id: 3n, createdAt: (await ageOfLast()).getTime() };
  expect(endOf(first)).toEqual({ id: 0n, createdAt: 0 });
  const fresh = await revoke(1);
  await expect(new RevocationLog(db.orm.em).deleteExpired(new Date(), 100)).resolves.toBe(2);
  const resumed = await readUntil(watch.watch(position, end.signal), caughtUp);
  expect(sessionsOf(resumed)).toEqual(fresh);
  expect(resumed[0]?.isSnapshot).toBe(false);
});

async function ageOfLast(): Promise<Date> {
  const [row] = await db.rows('select created_at from user_service.revocations order by id desc limit 1');
  return row?.['created_at'] as Date;
}

test('a replica whose clock is hours ahead has nothing forgotten, nor one whose clock is slow', async () => {
  const log = new RevocationLog(db.orm.em);
  await revoke(2);
  await db.rows(`update user_service.revocations set created_at = now() - interval '1 h'`);
  const inHours = new Date(Date.now() + 5 * 3_600_000);
  expect(await log.deleteExpired(inHours, 100)).toBe(0);
  expect(await log.unexpiredAfter(0n, inHours, 100)).toHaveLength(2);
  await identity.unitOfWork.transactional(({ revocations }) =>
    revocations.add([
      {
        ...{ kind: 'session', sessionId: uuidV7() as Uuid, userId: USER, reason: 'revoked' },
        createdAt: new Date(Date.now() - 5 * 3_600_000),
      },
    ]),
  );
  expect(await log.unexpiredAfter(0n, new Date(), 100)).toHaveLength(3);
});
