import { afterEach, expect, test, vi } from 'vitest';
import type { Revocation } from './revocation.ts';
import { RevocationFeed, type RevocationLog } from './revocation-feed.ts';

const STALL_MS = 100;
/** For a machine that is busy with other tests. */
const PATIENCE = { timeout: 10_000, interval: 5 };

/** A log in memory that nothing is written to. */
const EMPTY: RevocationLog = {
  from: async () => [],
  newest: async () => [],
  unexpiredAfter: async () => [],
  deleteExpired: async () => 0,
};

let feed: RevocationFeed | undefined;
afterEach(async () => await feed?.[Symbol.asyncDispose]());

test('is as far behind as the last read that every listener has carried out', async () => {
  let fails = false;
  feed = new RevocationFeed({
    log: EMPTY,
    listeners: [
      () => {
        if (fails) throw new Error('can not take it in');
      },
    ],
    onFailure: () => undefined,
    intervalMs: 5,
  });
  await vi.waitFor(() => expect(feed?.figures.lagMs).toBeLessThan(20), PATIENCE);
  expect(feed.figures.failedReads).toBe(0);
  fails = true;
  await vi.waitFor(() => expect(feed?.figures.lagMs).toBeGreaterThan(STALL_MS), PATIENCE);
  expect(feed.figures.failedReads).toBeGreaterThan(1);
  fails = false;
  await vi.waitFor(() => expect(feed?.figures.lagMs).toBeLessThan(20), PATIENCE);
});

test('is not up to date while there is more to read', async () => {
  const page = (id: bigint): Revocation[] =>
    Array.from({ length: 1000 }, (_, index) => ({
      ...{ id: id + BigInt(index), kind: 'session', createdAt: new Date(0), expiresAt: new Date(0) },
      ...{ sessionId: 's' },
    })) as unknown as Revocation[];
  let isEndless = true;
  feed = new RevocationFeed({
    log: {
      ...EMPTY,
      newest: async () => page(1n).slice(0, 1),
      from: async (id) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return isEndless ? page(id) : page(id).slice(0, 2);
      },
    },
    listeners: [],
    onFailure: (error) => expect.fail(String(error)),
    intervalMs: 5,
  });
  await vi.waitFor(() => expect(feed?.figures.lagMs).toBeGreaterThan(STALL_MS), PATIENCE);
  isEndless = false;
  await vi.waitFor(() => expect(feed?.figures.lagMs).toBeLessThan(20), PATIENCE);
});
