import { describe, expect, it } from 'vitest';
import { InvalidEndpointMap, readEndpointMap } from './endpoint-map.ts';

const MAP = `
endpoints:
  POST /auth/login: auth_login
  /auth/*: auth_other
  /users/*/orders: user_orders
  "*.css": null
  /: home
`;

describe('readEndpointMap', () => {
  it.each([
    ['POST', '/auth/login', 'auth_login'],
    ['GET', '/auth/login', 'auth_other'],
    ['GET', '/auth/', 'auth_other'],
    ['GET', '/auth', 'api_default'],
    ['GET', '/users/1/orders', 'user_orders'],
    ['GET', '/users/1/orders/2', 'api_default'],
    ['GET', '/users/orders', 'api_default'],
    ['GET', '/a.css', undefined],
    ['GET', '/', 'home'],
    ['', '', 'api_default'],
  ])('%s %s is %s', (method, path, endpoint) => {
    expect(readEndpointMap(MAP)(method, path)).toBe(endpoint);
  });

  it('may leave out whatever matches nothing', () => {
    expect(readEndpointMap('{ endpoints: { /a: a }, default: null }')('GET', '/b')).toBeUndefined();
  });

  it.each([
    ['[]', '1:1 endpoints must be a map of patterns to endpoints'],
    [
      'endpoints: { orders: a }',
      '1:14 endpoints.orders must be a path, or a method and a path; * stands for any text',
    ],
    [
      'endpoints: { /a: "b c" }',
      '1:14 endpoints./a must be an endpoint (1 to 128 of A-Z a-z 0-9 _ . : / -) or null',
    ],
    [
      '{ endpoints: {}, default: 1 }',
      '1:18 default must be an endpoint (1 to 128 of A-Z a-z 0-9 _ . : / -) or null',
    ],
    ['{ endpoints: {}, fallback: a }', '1:18 fallback is no known field'],
  ])('refuses %s', (text, problem) => {
    expect(() => readEndpointMap(text)).toThrow(InvalidEndpointMap);
    expect(() => readEndpointMap(text)).toThrow(problem);
  });
});
