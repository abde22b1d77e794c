import { describe, expect, it } from 'vitest';
import type { HttpFacts } from '../../http/http-facts.ts';
import { byHeader, byIp, byUser, firstOf } from './keys.ts';

function facts(remoteAddress?: string, headers: Readonly<Record<string, string>> = {}): HttpFacts {
  return { method: 'GET', path: '/', remoteAddress, header: (name) => headers[name] };
}

describe('byIp', () => {
  it.each([
    ['203.0.113.9', 'ip:203.0.113.9'],
    ['::ffff:203.0.113.9', 'ip:203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', 'ip:2001:db8:1:2::/64'],
    [undefined, 'ip:unknown'],
    ['nonsense', 'ip:unknown'],
  ])('counts %s as %s', (address, expected) => {
    expect(byIp()(undefined, facts(address))).toBe(expected);
  });

  it('counts each IPv6 address, or wider networks, where it is told to', () => {
    const client = facts('2001:db8:1:2ff:3:4:5:6');
    expect(byIp({ ipv6Prefix: 128 })(undefined, client)).toBe('ip:2001:db8:1:2ff:3:4:5:6');
    expect(byIp({ ipv6Prefix: 56 })(undefined, client)).toBe('ip:2001:db8:1:200::/56');
  });

  it.each([0, 129, 64.5, Number.NaN])('refuses a network of %d bits', (ipv6Prefix) => {
    expect(() => byIp({ ipv6Prefix })).toThrow(
      new RangeError(`ipv6Prefix: ${ipv6Prefix} is not a whole number from 1 to 128`),
    );
  });
});

describe('byUser', () => {
  const id = async (value: string | undefined) => await byUser(() => value)(undefined, facts());

  it.each([
    ['4711', 'user:4711'],
    ['Grün', 'user:Grün'],
    ['', undefined],
    [undefined, undefined],
  ])('counts %j as %j', async (value, expected) => {
    expect(await id(value)).toBe(expected);
  });

  it.each([
    ['of 251 bytes', 'a'.repeat(251), 'plain'],
    ['of 252 bytes', 'a'.repeat(252), 'digest'],
    ['of 251 letters in 502 bytes', 'ü'.repeat(251), 'digest'],
    ['with a line break', 'a\nb', 'digest'],
    ['that looks like a digest', `sha256:${'0'.repeat(64)}`, 'digest'],
    ['with half a surrogate pair', 'a\ud800', 'digest'],
  ])('takes an id %s so that the service takes it', async (_, value, form) => {
    if (form === 'plain') expect(await id(value)).toBe(`user:${value}`);
    else expect(await id(value)).toMatch(/^user:sha256:[0-9a-f]{64}$/);
  });

  it('keeps ids apart that it digests', async () => {
    const ids = ['a'.repeat(300), 'a'.repeat(301), 'a\n', 'a\r', 'a\ud800', 'a\ud801'];
    expect(new Set(await Promise.all(ids.map(id))).size).toBe(ids.length);
  });
});

it('byHeader counts by a value of that name alone', () => {
  const key = byHeader('X-Tenant');
  expect(key(undefined, facts(undefined, { 'x-tenant': 'acme' }))).toBe('x-tenant:acme');
  expect(key(undefined, facts())).toBeUndefined();
});

it('byHeader keeps no credential as it is', () => {
  const key = byHeader('X-Api-Key');
  expect(key(undefined, facts(undefined, { 'x-api-key': 'hunter2' }))).toMatch(
    /^x-api-key:sha256:[0-9a-f]{64}$/,
  );
});

describe('firstOf', () => {
  it('takes the first that has somebody, and asks no further', async () => {
    const asked: string[] = [];
    const key = (name: string, value: string | undefined) => () => {
      asked.push(name);
      return value;
    };
    const first = firstOf(key('a', undefined), key('b', 'user:1'), key('c', 'user:2'));
    expect(await first(undefined, facts())).toBe('user:1');
    expect(asked).toEqual(['a', 'b']);
  });

  it('has nobody where none has', async () => {
    expect(await firstOf(() => undefined)(undefined, facts())).toBeUndefined();
  });
});
