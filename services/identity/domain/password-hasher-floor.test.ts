import { expect, test } from 'vitest';
import { RefusalFloor } from './password-hasher-floor.ts';

/** How long a wait from `elapsedMs` after the start takes. */
async function waited(floor: RefusalFloor, elapsedMs: number): Promise<number> {
  const from = performance.now();
  await floor.wait(from - elapsedMs);
  return performance.now() - from;
}

test('is off while all hashes cost what new ones do', async () => {
  const floor = new RefusalFloor('today');
  expect(floor.ms).toBe(0);
  floor.record('today', 40);
  expect(floor.ms).toBe(0);
  expect(await waited(floor, 0)).toBeLessThan(20);
});

test('lies above the slowest cost that was seen, be it of new hashes or of others', () => {
  const floor = new RefusalFloor('today');
  floor.record('today', 40);
  floor.record('cheap', 10);
  expect(floor.ms).toBe(60);
  floor.record('dear', 200);
  expect(floor.ms).toBe(300);
  expect(floor.knows('dear')).toBe(true);
  expect(floor.knows('unseen')).toBe(false);
});

test('follows what checks really take', () => {
  const floor = new RefusalFloor('today');
  floor.record('dear', 1000);
  for (let round = 0; round < 40; round += 1) floor.record('dear', 100);
  expect(floor.ms).toBeGreaterThan(150);
  expect(floor.ms).toBeLessThan(152);
});

test('waits until the floor is over, and of what is late until the next multiple', async () => {
  const floor = new RefusalFloor('today');
  floor.record('dear', 100);
  expect(await waited(floor, 0)).toBeGreaterThan(148);
  const rest = await waited(floor, 140);
  expect(rest).toBeGreaterThan(8);
  expect(rest).toBeLessThan(100);
  expect(await waited(floor, 160)).toBeGreaterThan(138);
});

test('of very many costs, the slowest and that of new hashes are kept', () => {
  const floor = new RefusalFloor('today');
  floor.record('today', 1);
  for (let cost = 0; cost < 1000; cost += 1) floor.record(`cost ${cost}`, 10 + ((cost * 7) % 1000));
  expect(floor.ms).toBe(1.5 * 1009);
  expect(floor.knows('today')).toBe(true);
  expect(floor.knows('cost 0')).toBe(false);
});
