import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envoyIdentifier } from './envoy-identifier.ts';

describe('an identifier', () => {
  it.each([
    [[{ key: 'remote_address', value: '2001:db8::1' }], 'remote_address=2001:db8::1'],
    [
      [
        { key: 'path', value: '/a b' },
        { key: 'user', value: '' },
      ],
      'path=/a b,user=',
    ],
    [[{ key: 'a=b', value: 'c,d=*\\' }], 'a\\=b=c\\,d\\=\\*\\\\'],
  ])('is the text of the entries: %j', (entries, expected) => {
    expect(envoyIdentifier(entries)).toBe(expected);
  });

  it('has a pattern in place of the values that share it, which no value is', () => {
    const entries = [{ key: 'a', value: 'v*' }];
    expect(envoyIdentifier(entries, ['v*'])).toBe('a=v*');
    expect(envoyIdentifier(entries, [undefined])).toBe('a=v\\*');
  });

  it('is a digest where it would be longer than 256 bytes', () => {
    const of = (value: string) => envoyIdentifier([{ key: 'a', value }]);
    expect(of('é'.repeat(127))).toBe(`a=${'é'.repeat(127)}`);
    expect(of('é'.repeat(128))).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(of('x'.repeat(254))).toHaveLength(256);
    expect(of('x'.repeat(255))).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(of('x'.repeat(255))).not.toBe(of('y'.repeat(255)));
  });

  it('is that of one descriptor alone, whatever its keys and values have in them', () => {
    const hostile = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '=', ',', '\\', '*', '%'), maxLength: 5 }),
      fc.string({ unit: 'binary', maxLength: 5 }),
      fc.constantFrom('\ud800', '\udfff', '\ufffd', 'sha256:', ''),
      fc.integer({ min: 254, max: 258 }).map((length) => `${'\ud800'.repeat(length)}`),
      fc.integer({ min: 254, max: 258 }).map((length) => `${'\udfff'.repeat(length)}`),
    );
    const entries = fc.array(fc.record({ key: hostile, value: hostile, shared: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
    });
    const identifier = (
      of: readonly { readonly key: string; readonly value: string; readonly shared: boolean }[],
    ) =>
      envoyIdentifier(
        of.map(({ key, value }) => ({ key, value })),
        of.map(({ value, shared }) => (shared ? `${value}*` : undefined)),
      );
    fc.assert(
      fc.property(entries, entries, (a, b) => {
        expect(identifier(a) === identifier(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 5_000 },
    );
  });
});
