import { expect, test } from 'vitest';
import { nearestName } from './nearest-name.ts';

const NAMES = ['users', 'sessions', 'simulate', 'top', 'tail', 'rules'];

test.each([
  ['user', 'users'],
  ['uesrs', 'users'],
  ['sesions', 'sessions'],
  ['sim', 'simulate'],
  ['simualte', 'simulate'],
  ['tp', 'top'],
  ['ruls', 'rules'],
])('%s most likely means %s', (typed, meant) => {
  expect(nearestName(typed, NAMES)).toBe(meant);
});

test.each(['', 'x', 'dance', 'toString', 'usersusers'])('nothing is like "%s"', (typed) => {
  expect(nearestName(typed, NAMES)).toBeUndefined();
});
