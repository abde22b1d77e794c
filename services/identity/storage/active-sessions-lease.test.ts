import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Revocation } from '../domain/revocation.ts';
import type { Uuid } from '../domain/uuid.ts';
import { CacheLease } from './active-sessions-lease.ts';
import type { ServerFacts } from './active-sessions-server.ts';

const HERE: ServerFacts = { prefix: 'here', isAlone: true };
const USER = '019b0000-0000-7000-8000-000000000000' as Uuid;

let server: ServerFacts | undefined;
/** Names of each command. */
let deleted: (readonly string[])[];
let lease: CacheLease;
let lastId = 0n;
beforeEach(() => {
  vi.useFakeTimers();
  server = HERE;
  deleted = [];
  lease = new CacheLease({
    delete: async (names) => {
      if (server !== undefined) deleted.push(names);
      return server;
    },
  });
});
afterEach(() => void vi.useRealTimers());

/** What a read gives in which so many sessions were revoked. */
function read(count: number) {
  const revocations = Array.from({ length: count }, (): Revocation => {
    lastId += 1n;
    const sessionId = `session-${lastId}` as Uuid;
    const subject = { kind: 'session', sessionId, userId: USER } as const;
    return { ...subject, id: lastId, reason: 'revoked', createdAt: new Date(), expiresAt: new Date() };
  });
  const beganAt = { monotonic: performance.now(), wall: Date.now() };
  return { revocations, beganAt, isComplete: true, isLast: true };
}

test('is held for a second after a read that was carried out, by both clocks', async () => {
  await lease.renew(read(1));
  expect(lease.isHeld).toBe(true);
  vi.advanceTimersByTime(999);
  expect(lease.isHeld).toBe(true);
  vi.advanceTimersByTime(1);
  expect(lease.isHeld).toBe(false);
  await lease.renew(read(0));
  vi.setSystemTime(Date.now() + 1_000);
  expect(lease.isHeld).toBe(false);
});

test('is not held where a revocation could not be carried out, until it was', async () => {
  server = undefined;
  await lease.renew(read(1));
  expect(lease.isHeld).toBe(false);
  server = HERE;
  vi.advanceTimersByTime(1_000);
  await lease.renew(read(0));
  expect(lease.isHeld).toBe(true);
  expect(deleted[0]).toHaveLength(2);
});

test('a server that is new is rid of what was revoked lately', async () => {
  await lease.renew(read(3));
  server = { prefix: 'there', isAlone: true };
  deleted = [];
  await lease.renew(read(1));
  expect(deleted.flat().filter((name) => name.startsWith('session:'))).toHaveLength(1 + 4);
});

test('what piles up while Redis is away for an hour is that of two minutes', async () => {
  server = undefined;
  for (let second = 0; second < 3_600; second += 1) {
    await lease.renew(read(10));
    vi.advanceTimersByTime(1_000);
  }
  server = HERE;
  await lease.renew(read(0));
  expect(deleted.flat().length).toBeLessThanOrEqual(2 * 2 * 10 * 121);
  expect(lease.isHeld).toBe(true);
});

test('much is deleted in several commands, none of which holds up Redis for long', async () => {
  await lease.renew(read(20_000));
  expect(lease.isHeld).toBe(true);
  expect(new Set(deleted.flat()).size).toBe(40_000);
  for (const names of deleted) expect(names.length).toBeLessThanOrEqual(2_000);
});

test('parts that were deleted from different servers were not deleted', async () => {
  await lease.renew(read(0));
  let commands = 0;
  const two = new CacheLease({
    delete: async () => {
      commands += 1;
      return { prefix: commands % 2 === 0 ? 'here' : 'there', isAlone: true };
    },
  });
  await two.renew(read(2_000));
  expect(two.isHeld).toBe(false);
});
