import { expect, test } from 'vitest';
import { SessionActivity, type SessionUse } from './session-activity.ts';
import type { Uuid } from './uuid.ts';

const id = (index: number) => `019b0000-0000-7000-8000-${String(index).padStart(12, '0')}` as Uuid;

function activity(write?: (uses: readonly SessionUse[]) => Promise<void>, intervalMs = 60_000) {
  const written: (readonly SessionUse[])[] = [];
  const failures: unknown[] = [];
  const log = new SessionActivity({
    write: async (uses) => {
      await write?.(uses);
      written.push(uses);
    },
    onFailure: (error) => failures.push(error),
    intervalMs,
  });
  return { log, written, failures };
}

test('the last use of each session is written, in batches', async () => {
  const { log, written } = activity();
  for (let index = 0; index < 2_500; index += 1) log.touch(id(index), 1);
  log.touch(id(0), 2);
  await log.flush();
  expect(written.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  expect(written[0]?.[0]).toEqual({ sessionId: id(0), at: 2 });
  await log.flush();
  expect(written).toHaveLength(3);
});

test('it is written by itself', async () => {
  const { log, written } = activity(undefined, 20);
  log.touch(id(1), 5);
  await expect.poll(() => written).toEqual([[{ sessionId: id(1), at: 5 }]]);
  await log[Symbol.asyncDispose]();
});

test('what could not be written is kept, unless a later use is known', async () => {
  let isAway = true;
  const { log, written, failures } = activity(async () => {
    if (isAway) throw new Error('away');
  });
  log.touch(id(1), 1);
  log.touch(id(2), 1);
  const flushed = log.flush();
  log.touch(id(2), 9);
  await flushed;
  expect(failures).toEqual([new Error('away')]);
  isAway = false;
  await log.flush();
  expect(written.flat().toSorted((a, b) => a.at - b.at)).toEqual([
    { sessionId: id(1), at: 1 },
    { sessionId: id(2), at: 9 },
  ]);
});

test('the end writes what is left', async () => {
  const { log, written } = activity();
  log.touch(id(1), 1);
  await log[Symbol.asyncDispose]();
  expect(written).toEqual([[{ sessionId: id(1), at: 1 }]]);
});

test('so many sessions are remembered and no more', async () => {
  const { log, written } = activity();
  for (let index = 0; index < 200_100; index += 1) log.touch(id(index), 1);
  log.touch(id(0), 2);
  await log.flush();
  expect(written.flat()).toHaveLength(200_000);
  expect(written[0]?.[0]?.at).toBe(2);
});
