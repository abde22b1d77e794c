import { expect, it } from 'vitest';
import { LogThrottle } from './log-throttle.ts';

it('lets a line through once in a while, and tells how many it kept back', () => {
  let now = 0;
  const throttle = new LogThrottle(1000, () => now);
  const passed: [at: number, keptBack: number][] = [];
  for (now = 0; now < 2500; now += 100) {
    const keptBack = throttle.pass();
    if (keptBack !== undefined) passed.push([now, keptBack]);
  }
  expect(passed).toEqual([
    [0, 0],
    [1000, 9],
    [2000, 9],
  ]);
});
