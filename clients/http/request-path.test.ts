import { expect, it } from 'vitest';
import { pathOf } from './request-path.ts';

it.each([
  ['/orders/1?page=2', '/orders/1'],
  ['/', '/'],
  ['?page=2', '/'],
  ['*', '*'],
  ['//orders', '//orders'],
  ['/a#b?c', '/a'],
  ['http://example.com', '/'],
  ['http://example.com?page=2', '/'],
  ['HTTPS://user@example.com:8443/orders/http://x/?y', '/orders/http://x/'],
])('the path of %s is %s', (target, expected) => {
  expect(pathOf(target)).toBe(expected);
});
