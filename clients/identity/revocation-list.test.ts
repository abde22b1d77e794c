import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RevocationSchema } from '../../gen/optix/identity/v1/token_service_pb.ts';
import { RevocationList } from './revocation-list.ts';

beforeEach(() => void vi.useFakeTimers({ now: new Date('2026-01-01T00:00:00Z') }));
afterEach(() => void vi.useRealTimers());

const revocation = (sessionId: string, expiresInMs: number) =>
  create(RevocationSchema, {
    subject: { case: 'sessionId', value: sessionId },
    reason: 'signed_out',
    revokeTime: timestampFromMs(Date.now()),
    expireTime: timestampFromMs(Date.now() + expiresInMs),
  });
const token = (sessionId: string) => ({
  ...{ sessionId, userId: 'u', tokenId: 't', roles: [], generation: 1, keyId: 'k' },
  ...{ issuedAt: new Date(), notBefore: new Date(), expiresAt: new Date() },
  ...{ amr: [], acr: null, authenticatedAt: null },
  checkedBy: 'nobody' as const,
});

test('holds a revocation until its tokens have ended, and a minute for clocks that differ', () => {
  const list = new RevocationList();
  list.add([revocation('s', 900_000)]);
  vi.advanceTimersByTime(959_999);
  list.add([]);
  expect(list.reasonFor(token('s'))).toBe('signed_out');
  vi.advanceTimersByTime(30_000);
  list.add([]);
  expect(list.reasonFor(token('s'))).toBeNull();
  expect(list.size).toBe(0);
});

test('does not grow for ever: a day of revocations leaves those of the last quarter of an hour', () => {
  const list = new RevocationList();
  for (let second = 0; second < 86_400; second += 1) {
    list.add([revocation(`s${second}`, 900_000)]);
    vi.advanceTimersByTime(1000);
  }
  expect(list.size).toBeLessThanOrEqual(900 + 60 + 31);
  expect(list.reasonFor(token('s86399'))).toBe('signed_out');
});

test('a snapshot that repeats what is known adds nothing', () => {
  const list = new RevocationList();
  const known = [revocation('a', 1000), revocation('b', 1000)];
  list.add(known);
  list.add(known);
  expect(list.size).toBe(2);
});

test('holds a revocation though the clock was hours ahead for a while, or is set back', () => {
  const list = new RevocationList();
  list.add([revocation('s', 900_000)]);
  for (const hours of [5, -5]) {
    const now = Date.now();
    vi.setSystemTime(now + hours * 3_600_000);
    vi.advanceTimersByTime(60_000);
    list.add([]);
    vi.setSystemTime(now + 60_000);
    expect(list.reasonFor(token('s'))).toBe('signed_out');
  }
  vi.setSystemTime(Date.now() - 5 * 3_600_000);
  vi.advanceTimersByTime(2_000_000);
  list.add([]);
  expect(list.reasonFor(token('s'))).toBe('signed_out');
});
