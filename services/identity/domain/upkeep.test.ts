import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { Upkeep } from './upkeep.ts';

test('sweeps until nothing is left, round after round, whatever fails', async () => {
  const left = [2500, 0];
  const batches: number[] = [];
  const errors: unknown[] = [];
  let failing = true;
  await using _ = new Upkeep({
    sweeps: [
      async () => {
        if (!failing) return 0;
        failing = false;
        throw new Error('the database is away');
      },
      async (most) => {
        const deleted = Math.min(most, left[0] ?? 0);
        left[0] = (left[0] ?? 0) - deleted;
        batches.push(deleted);
        return deleted;
      },
    ],
    onError: (error) => errors.push(error),
    intervalMs: 5,
  });
  await vi.waitFor(() => expect(batches.length).toBeGreaterThanOrEqual(4));
  expect(batches.slice(0, 4)).toEqual([1000, 1000, 500, 0]);
  expect(errors).toEqual([new Error('the database is away')]);
});

test('ends with the statement that runs, and begins no other', async () => {
  const running = Promise.withResolvers<number>();
  const sweep = vi.fn(() => running.promise);
  const upkeep = new Upkeep({ sweeps: [sweep], onError: () => undefined, intervalMs: 1 });
  await vi.waitFor(() => expect(sweep).toHaveBeenCalledOnce());
  const ended = vi.fn();
  const ending = upkeep[Symbol.asyncDispose]().then(ended);
  await sleep(20);
  expect(ended).not.toHaveBeenCalled();
  running.resolve(1000);
  await ending;
  expect(sweep).toHaveBeenCalledOnce();
});
