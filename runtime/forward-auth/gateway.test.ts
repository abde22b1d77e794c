import { describe, expect, it } from 'vitest';
import type { RouteRequest } from '../http-route.ts';
import { clientAddress, nginx, toldRequest, traefik } from './gateway.ts';
import { GatewayMisconfigured } from './gateway-misconfigured.ts';
import { requestWith } from './testing-request.ts';

const NGINX = {
  'x-original-method': 'GET',
  'x-original-uri': '/a/b?c=/d',
  'x-original-host': 'shop.example',
};
const TRAEFIK = {
  'x-forwarded-method': 'put',
  'x-forwarded-uri': '/a',
  'x-forwarded-host': 'shop.example:8443',
};

describe('the request that a gateway tells of', () => {
  it('has its method in upper case, and its path without the query', () => {
    expect(toldRequest(nginx, requestWith(NGINX))).toEqual({
      method: 'GET',
      authority: 'shop.example',
      path: '/a/b',
      authorization: undefined,
    });
    expect(toldRequest(traefik, requestWith(TRAEFIK))).toMatchObject({
      method: 'PUT',
      authority: 'shop.example:8443',
    });
  });

  it.each([
    ['nginx', nginx, NGINX, ['x-original-method', 'x-original-uri', 'x-original-host']],
    ['Traefik', traefik, TRAEFIK, ['x-forwarded-method', 'x-forwarded-uri', 'x-forwarded-host']],
  ] as const)('of %s must have each header once', (_, gateway, headers, names) => {
    for (const name of names) {
      const { [name]: value, ...rest } = headers as Record<string, string>;
      const problem = (more: Record<string, string | string[]>) => () =>
        toldRequest(gateway, requestWith({ ...rest, ...more }));
      expect(problem({})).toThrow(new GatewayMisconfigured(`${name} is not set`));
      expect(problem({ [name]: '' })).toThrow(new GatewayMisconfigured(`${name} is not set`));
      expect(problem({ [name]: [value as string, '/public'] })).toThrow(
        new GatewayMisconfigured(`${name} is there twice`),
      );
    }
  });

  it('keeps a path as hostile as it came, for the rules to judge', () => {
    for (const path of [
      '/public/..%2fadmin',
      '//admin',
      '/\\admin',
      '*',
      'http://x/admin',
      `/${'a'.repeat(8000)}`,
    ]) {
      const request = requestWith({ ...NGINX, 'x-original-uri': `${path}?q#f` });
      expect(toldRequest(nginx, request).path).toBe(path);
    }
    // A fragment is no part of a request; upstreams that do not cut it off take it for a part of the path.
    const fragment = requestWith({ ...NGINX, 'x-original-uri': '/public#/../admin?b' });
    expect(toldRequest(nginx, fragment).path).toBe('/public#/../admin');
  });

  it('shows two authorization headers as two', () => {
    const authorization = ['Bearer a', 'Bearer b'];
    const told = toldRequest(nginx, requestWith({ ...NGINX, authorization }));
    expect(told.authorization).toBe('Bearer a, Bearer b');
  });
});

describe("the client's address", () => {
  const ofNginx = (value: string | string[]) =>
    clientAddress(nginx, requestWith({ 'x-real-ip': value }), 0).text;
  const ofTraefik = (hops: number, ...values: string[]) =>
    clientAddress(traefik, requestWith({ 'x-forwarded-for': values }), hops).text;

  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9:4711', '203.0.113.9'],
    ['2001:DB8:0:0::9', '2001:db8::9'],
    ['[2001:db8::9]:443', '2001:db8::9'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
  ])('is read of %s as %s', (text, address) => {
    expect(ofNginx(text)).toBe(address);
    expect(ofTraefik(0, text)).toBe(address);
  });

  it('is the last entry of the list, which the gateway has written', () => {
    expect(ofTraefik(0, '198.51.100.1, 203.0.113.9')).toBe('203.0.113.9');
    expect(ofTraefik(0, '198.51.100.1', '203.0.113.9')).toBe('203.0.113.9');
    expect(ofTraefik(0, '", \0, garbage', '203.0.113.9')).toBe('203.0.113.9');
  });

  it('is the one before as many trusted proxies as there are', () => {
    const list = '192.0.2.66, 198.51.100.1, 203.0.113.8, 203.0.113.9';
    expect(ofTraefik(1, list)).toBe('203.0.113.8');
    expect(ofTraefik(2, list)).toBe('198.51.100.1');
    expect(ofTraefik(7, list)).toBe('192.0.2.66');
    expect(ofTraefik(2, '198.51.100.1', '203.0.113.8, 203.0.113.9')).toBe('198.51.100.1');
  });

  it.each(['', 'unknown', '203.0.113.256', '203.0.113.9, ', 'localhost', '203.0.113.9\t203.0.113.8'])(
    'is not made out of "%s"',
    (text) => {
      expect(() => ofTraefik(0, text)).toThrow(new GatewayMisconfigured('x-forwarded-for has no IP address'));
    },
  );

  it('of nginx is one', () => {
    const once = new GatewayMisconfigured('x-real-ip is there twice');
    expect(() => ofNginx(['203.0.113.9', '203.0.113.8'])).toThrow(once);
    expect(() => ofNginx('203.0.113.9, 203.0.113.8')).toThrow(
      new GatewayMisconfigured('x-real-ip has no IP address'),
    );
    expect(() => clientAddress(nginx, requestWith({}) satisfies RouteRequest, 0)).toThrow(
      new GatewayMisconfigured('x-real-ip is not set'),
    );
  });
});
