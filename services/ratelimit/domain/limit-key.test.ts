import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitKey } from './limit-key.ts';

/** What Redis Cluster hashes: the text between the first brace and the next closing one, if there is any. */
function hashTag(key: string): string {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  return open === -1 || close <= open + 1 ? key : key.slice(open + 1, close);
}

/** Made of the characters that matter, so that near misses are common. */
const part = fc.oneof(
  fc.string({
    unit: fc.constantFrom(
      'a',
      ':',
      '{',
      '}',
      '%',
      '2',
      '5',
      'u',
      '7',
      'B',
      ' ',
      '\0',
      'é',
      '\ud800',
      '\udc00',
    ),
  }),
  fc.string({ unit: 'binary' }),
);

describe('limitKey', () => {
  it.each([
    ['auth_login', 'user:4711', 'ratelimit:auth_login:{user:4711}'],
    ['api_default', 'ip:203.0.113.9', 'ratelimit:api_default:{ip:203.0.113.9}'],
    ['GET:/v1/orders', 'ip:2001:db8::1', 'ratelimit:GET:/v1/orders:{ip:2001:db8::1}'],
    ['api_default', 'käthe@example.org', 'ratelimit:api_default:{käthe@example.org}'],
  ])('leaves the usual readable: %s, %s', (endpoint, identifier, key) => {
    expect(limitKey(endpoint, identifier)).toBe(key);
  });

  it.each([
    ['a}{b', 'ratelimit:x:{a%7D%7Bb}'],
    ['100%', 'ratelimit:x:{100%25}'],
    ['a b\n', 'ratelimit:x:{a%20b%0A}'],
    ['a\u2028\ud800', 'ratelimit:x:{a%u2028%uD800}'],
    ['\udfff', 'ratelimit:x:{%uDFFF}'],
    ['\u{1f600}', 'ratelimit:x:{\u{1f600}}'],
    ['', 'ratelimit:x:{%}'],
  ])('escapes what would garble the key, and no more: %j', (identifier, key) => {
    expect(limitKey('x', identifier)).toBe(key);
  });

  it('never gives two pairs one key, in bytes as Redis sees it', () => {
    fc.assert(
      fc.property(part, part, part, part, (endpointA, identifierA, endpointB, identifierB) => {
        fc.pre(endpointA !== endpointB || identifierA !== identifierB);
        const [a, b] = [limitKey(endpointA, identifierA), limitKey(endpointB, identifierB)];
        expect(Buffer.from(a).equals(Buffer.from(b))).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never lets text move between endpoint and identifier', () => {
    fc.assert(
      fc.property(part, fc.nat(), fc.nat(), (text, cutA, cutB) => {
        const [a, b] = [cutA % (text.length + 1), cutB % (text.length + 1)];
        fc.pre(a !== b);
        expect(limitKey(text.slice(0, a), text.slice(a))).not.toBe(limitKey(text.slice(0, b), text.slice(b)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('has the whole identifier as its hash tag, so one identifier is one cluster slot', () => {
    fc.assert(
      fc.property(part, part, part, (identifier, endpointA, endpointB) => {
        const tag = hashTag(limitKey(endpointA, identifier));
        expect(tag).not.toBe('');
        expect(limitKey(endpointA, identifier).endsWith(`:{${tag}}`)).toBe(true);
        expect(hashTag(limitKey(endpointB, identifier))).toBe(tag);
      }),
    );
  });
});
