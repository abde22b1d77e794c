import { expect, it } from 'vitest';
import { InFlight } from './in-flight.ts';

it('tells all who wait when nothing is in flight any more', async () => {
  const inFlight = new InFlight();
  await inFlight.idle();
  inFlight.begin();
  inFlight.begin();
  let told = 0;
  const waiting = [1, 2].map(() => inFlight.idle().then(() => (told += 1)));
  inFlight.end();
  await Promise.resolve();
  expect([inFlight.count, told]).toEqual([1, 0]);
  inFlight.end();
  await Promise.all(waiting);
  expect([inFlight.count, told]).toEqual([0, 2]);
});
