import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { inBatches } from './in-batches.ts';

const NEVER = new AbortController().signal;

test('sweeps until a batch is not full', async () => {
  let left = 2500;
  const sweep = vi.fn(async (most: number) => {
    const swept = Math.min(most, left);
    left -= swept;
    return swept;
  });
  expect(await inBatches(NEVER, sweep)).toEqual({ count: 2500, hasMore: false });
  expect(sweep).toHaveBeenCalledTimes(3);
});

test('works for a fifth of the time at most', async () => {
  let batches = 0;
  const startedAt = performance.now();
  await inBatches(NEVER, async (most) => {
    await sleep(20);
    batches += 1;
    return batches < 5 ? most : 0;
  });
  // Four pauses of at least 80 ms each.
  expect(performance.now() - startedAt).toBeGreaterThan(5 * 19 + 4 * 4 * 19);
});

test('stops when its time is up, and says that there is more', async () => {
  const sweep = vi.fn(async (most: number) => {
    await sleep(10);
    return most;
  });
  const { count, hasMore } = await inBatches(NEVER, sweep, { size: 10, budgetMs: 100 });
  expect(hasMore).toBe(true);
  expect(count).toBe(10 * sweep.mock.calls.length);
  expect(sweep.mock.calls.length).toBeLessThan(5);
});

test('ends with the statement that runs, and begins no other', async () => {
  const running = Promise.withResolvers<number>();
  const sweep = vi.fn(() => running.promise);
  const stop = new AbortController();
  const ended = inBatches(stop.signal, sweep);
  stop.abort();
  running.resolve(1000);
  expect(await ended).toEqual({ count: 1000, hasMore: true });
  expect(sweep).toHaveBeenCalledOnce();
  expect(await inBatches(stop.signal, sweep)).toEqual({ count: 0, hasMore: true });
  expect(sweep).toHaveBeenCalledOnce();
});

test('what a sweep fails with is told', async () => {
  const sweep = async () => {
    throw new Error('the database is away');
  };
  await expect(inBatches(NEVER, sweep)).rejects.toThrow('the database is away');
});
