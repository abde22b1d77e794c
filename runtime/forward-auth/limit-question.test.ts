import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nginx, traefik } from './gateway.ts';
import { GatewayMisconfigured } from './gateway-misconfigured.ts';
import { LIMIT_PARAMETERS, limitIdentifier, limitQuestion } from './limit-question.ts';
import { readParameters } from './parameters.ts';
import { requestWith } from './testing-request.ts';

const question = (query: string, { gateway = traefik, knowsUsers = true } = {}) =>
  limitQuestion(readParameters(query, LIMIT_PARAMETERS), { gateway, knowsUsers });

describe('what a gateway wants limited', () => {
  it('is nothing where it names no limit', () => {
    expect(question('')).toBeUndefined();
  });

  it('is one unit of an endpoint, by user where users are known and by address where not', () => {
    const usual = { endpoint: 'GET:/v1/orders', cost: 1, hops: 0 };
    expect(question('limit=GET:/v1/orders')).toEqual({ ...usual, by: 'user' });
    expect(question('limit=GET%3A%2Fv1%2Forders', { knowsUsers: false })).toEqual({ ...usual, by: 'ip' });
  });

  it('is what the parameters say', () => {
    expect(question('limit=orders&by=ip&cost=4294967295&hops=2')).toEqual({
      endpoint: 'orders',
      cost: 4_294_967_295,
      by: 'ip',
      hops: 2,
    });
    expect(question('by=header:X-Tenant&limit=orders')?.by).toEqual({ header: 'x-tenant' });
  });

  it.each([
    ['limit=', 'limit must be 1 to 128 of A-Z a-z 0-9 _ . : / -'],
    ['limit=a b', 'limit must be 1 to 128 of A-Z a-z 0-9 _ . : / -'],
    [`limit=${'a'.repeat(129)}`, 'limit must be 1 to 128 of A-Z a-z 0-9 _ . : / -'],
    ['limit=a&limit=b', 'limit is there twice'],
    ['limits=a', '"limits" is no parameter here'],
    ['Limit=a', '"Limit" is no parameter here'],
    [`${'x'.repeat(500)}=a`, `"${'x'.repeat(64)}" is no parameter here`],
    ['cost=2', 'cost says nothing without limit'],
    ['by=ip', 'by says nothing without limit'],
    ['limit=a&cost=0', 'cost must be an integer from 1 to 4294967295'],
    ['limit=a&cost=-1', 'cost must be an integer from 1 to 4294967295'],
    ['limit=a&cost=1e3', 'cost must be an integer from 1 to 4294967295'],
    ['limit=a&cost=4294967296', 'cost must be an integer from 1 to 4294967295'],
    ['limit=a&hops=17', 'hops must be an integer from 0 to 16'],
    ['limit=a&by=', 'by must be user, ip or header:<name>'],
    ['limit=a&by=header:', 'by must be user, ip or header:<name>'],
    ['limit=a&by=header:a%0Ab', 'by must be user, ip or header:<name>'],
    ['limit=a&by=users', 'by must be user, ip or header:<name>'],
  ])('is not guessed of %s', (query, problem) => {
    expect(() => question(query)).toThrow(new GatewayMisconfigured(problem));
  });

  it('is not by user where nobody knows users, and has no hops of a gateway that tells one address', () => {
    expect(() => question('limit=a&by=user', { knowsUsers: false })).toThrow(
      new GatewayMisconfigured('by must be ip or header:<name>'),
    );
    expect(() => question('limit=a&hops=1', { gateway: nginx })).toThrow(
      new GatewayMisconfigured('hops says nothing of x-real-ip'),
    );
  });
});

describe('who is limited', () => {
  const identifier = (query: string, headers: Record<string, string | string[]>, userId?: string) => {
    const asked = question(query);
    if (asked === undefined) throw new Error('no limit');
    return limitIdentifier(
      asked,
      traefik,
      requestWith({ 'x-forwarded-for': '203.0.113.9', ...headers }),
      userId,
    );
  };
  const hashed = (name: string, value: string) =>
    `${name}:sha256:${createHash('sha256').update(value, 'latin1').digest('hex')}`;

  it('is the user, or the address where there is none', () => {
    expect(identifier('limit=a', {}, '4711')).toBe('user:4711');
    expect(identifier('limit=a', {})).toBe('ip:203.0.113.9');
    expect(identifier('limit=a&by=ip', {}, '4711')).toBe('ip:203.0.113.9');
  });

  it('is the /64 of an address of IPv6', () => {
    const headers = { 'x-forwarded-for': '2001:db8:1:2:3:4:5:6' };
    expect(identifier('limit=a&by=ip', headers)).toBe('ip:2001:db8:1:2::/64');
  });

  it('is the value of the header, or the address where it was not sent', () => {
    const query = 'limit=a&by=header:x-tenant';
    expect(identifier(query, { 'x-tenant': 'acme' }, '4711')).toBe('x-tenant:acme');
    expect(identifier(query, { 'x-tenant': ['acme', 'other'] })).toBe('x-tenant:acme, other');
    expect(identifier(query, { 'x-tenant': ' ' }, '4711')).toBe('ip:203.0.113.9');
    expect(identifier(query, {})).toBe('ip:203.0.113.9');
  });

  it.each(['\u0085', 'a\tb', 'x'.repeat(300), 'ÿ'.repeat(130), 'sha256:beef'])(
    'is a hash of a value that the limiter would not take, or that looks like one: %j',
    (value) => {
      expect(identifier('limit=a&by=header:x-tenant', { 'x-tenant': value })).toBe(hashed('x-tenant', value));
    },
  );

  it.each(['x-api-key', 'authorization', 'cookie', 'x-auth-token', 'x-session-id', 'x-client-secret'])(
    'is a hash of what %s holds',
    (name) => {
      expect(identifier(`limit=a&by=header:${name}`, { [name]: 'hunter2' })).toBe(hashed(name, 'hunter2'));
    },
  );
});
