import { expect, it } from 'vitest';
import { bearerToken } from './bearer-token.ts';

it.each([
  ['Bearer a.b.c', 'a.b.c'],
  ['bearer a.b-c_d~e+f/g==', 'a.b-c_d~e+f/g=='],
  ['BEARER   x', 'x'],
  [' Bearer x ', 'x'],
])('%j holds a token', (header, token) => {
  expect(bearerToken(header)).toBe(token);
});

it.each([undefined, 'Basic dXNlcjpwYXNz', 'Digest username="bearer", realm="x"', 'Bearers x', 'Negotiate'])(
  '%j holds none',
  (header) => {
    expect(bearerToken(header)).toBeUndefined();
  },
);

it.each([
  '',
  ' ',
  'Bearer',
  'Bearer ',
  'Bearer a b',
  'Bearer a, Bearer a',
  'Bearer a,Bearer b',
  'Basic dXNlcjpwYXNz,Bearer b',
  'Basic dXNlcjpwYXNz, bearer b',
  'Bearer a, Basic dXNlcjpwYXNz',
  'Bearer =a',
  'Bearer a=b',
  'Bearer é',
  'Bearer\ta',
  'Bearer "a"',
])('%j can not be read', (header) => {
  expect(bearerToken(header)).toBeNull();
});
