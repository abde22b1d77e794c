import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { base32 } from './base32.ts';

// RFC 4648 section 10, less the padding.
test.each([
  ['', ''],
  ['f', 'MY'],
  ['fo', 'MZXQ'],
  ['foo', 'MZXW6'],
  ['foob', 'MZXW6YQ'],
  ['fooba', 'MZXW6YTB'],
  ['foobar', 'MZXW6YTBOI'],
])('%j is %j', (text, encoded) => {
  expect(base32(Buffer.from(text))).toBe(encoded);
});

test('takes another alphabet', () => {
  expect(base32(Buffer.from('foobar'), '0123456789ABCDEFGHJKMNPQRSTVWXYZ')).toBe('CSQPYRK1E8');
});

test('is the number that the bytes are, in base 32', () => {
  for (let round = 0; round < 100; round += 1) {
    const bytes = randomBytes(20);
    const encoded = base32(bytes, '0123456789abcdefghijklmnopqrstuv');
    const digits = BigInt(`0x${bytes.toString('hex')}`).toString(32);
    expect(encoded).toBe(digits.padStart(32, '0'));
  }
});
