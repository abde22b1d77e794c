import { describe, expect, test } from 'vitest';
import { otpauthUri } from './otpauth.ts';
import { qrSvg } from './qr-code.ts';
import { readQrSvg } from './testing-qr-reader.ts';
import { createTotpSecret } from './totp.ts';

describe('a scanner reads', () => {
  test.each([
    ['an account of few characters', 'a@b.example'],
    ['one of the most', `${'a'.repeat(64)}@${'b.'.repeat(92)}example`],
    ['one of other scripts', `${'ä'.repeat(32)}@example.com`],
  ])('%s', (_case, account) => {
    const uri = otpauthUri({ issuer: 'Optix', account, secret: createTotpSecret() });
    expect(readQrSvg(qrSvg(uri))).toBe(uri);
  });

  test('text of any length that an account needs', () => {
    for (let length = 1; length <= 660; length += 7) {
      const text = 'ü'.repeat(length % 3) + 'x'.repeat(length);
      expect(readQrSvg(qrSvg(text))).toBe(text);
    }
  });

  test('nothing where a module has the other colour', () => {
    const svg = qrSvg('otpauth');
    const squares = [...svg.matchAll(/M[^z]+z/g)].map(([square]) => square);
    const inData = squares.at(-1) ?? '';
    expect(() => readQrSvg(svg.replace(inData, ''))).toThrow('a block with an error');
  });
});

test('a text is bounded by what fits', () => {
  expect(qrSvg('x'.repeat(2331))).toContain('viewBox="0 0 1850 1850"');
  expect(() => qrSvg('x'.repeat(2332))).toThrow(RangeError);
});

test('nothing of the text is in the document but its modules', () => {
  expect(qrSvg('<script>&amp;"</script>')).toMatch(/^<svg [^<>]+><rect [^<>]+\/><path [^<>]+\/><\/svg>$/);
});
