import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { headerIdentifier, identifierOf } from './identifier.ts';

const sha256 = (value: string) => createHash('sha256').update(value, 'latin1').digest('hex');

describe('a value that looks like a hash', () => {
  it('is hashed itself: who knows the hash of a long value of somebody else does not count as them', () => {
    const theirs = 'x'.repeat(300);
    for (const of of [identifierOf, headerIdentifier]) {
      const known = of('tenant', theirs).replace(/^tenant:/, '');
      expect(known).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(of('tenant', known)).not.toBe(of('tenant', theirs));
    }
  });
});

describe('the value of a header', () => {
  it('is kept as it is where it is nobody’s secret', () => {
    expect(headerIdentifier('x-tenant', 'Grün & Co')).toBe('x-tenant:Grün & Co');
  });

  it.each([
    'authorization',
    'cookie',
    'x-api-key',
    'x-jwt',
    'x-auth-token',
    'x-session-id',
    'x-hub-signature',
  ])('of %s is kept as the hash of its bytes', (name) => {
    expect(headerIdentifier(name, 'hunter2')).toBe(`${name}:sha256:${sha256('hunter2')}`);
  });
});
