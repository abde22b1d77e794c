import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTotpSecret, findStep, hotp, type TotpAlgorithm, totpStep } from './totp.ts';

const SECRET = Buffer.from('12345678901234567890');
const AT = new Date('2026-11-22T12:00:10Z');
const NOW = totpStep(AT);
const guess = (code: string, change: Partial<Parameters<typeof findStep>[0]> = {}) =>
  findStep({ secret: SECRET, code, at: AT, after: null, ...change });

describe('RFC 4226 appendix D', () => {
  test.each([
    [0, '755224'],
    [1, '287082'],
    [2, '359152'],
    [3, '969429'],
    [4, '338314'],
    [5, '254676'],
    [6, '287922'],
    [7, '162583'],
    [8, '399871'],
    [9, '520489'],
  ])('counter %i: %s', (counter, code) => {
    expect(hotp(SECRET, counter)).toBe(code);
    expect(hotp(SECRET, BigInt(counter))).toBe(code);
  });

  test('a counter that is none', () => {
    expect(() => hotp(SECRET, -1)).toThrow(RangeError);
    expect(() => hotp(SECRET, 1.5)).toThrow(RangeError);
  });
});

describe('RFC 6238 appendix B', () => {
  // The text gives one secret; its reference code lengthens it to the hash's length (erratum 2866).
  const secrets: Record<TotpAlgorithm, Buffer> = {
    sha1: SECRET,
    sha256: Buffer.from('12345678901234567890123456789012'),
    sha512: Buffer.from('1234567890123456789012345678901234567890123456789012345678901234'),
  };
  test.each<[seconds: number, step: number, Record<TotpAlgorithm, string>]>([
    [59, 0x1, { sha1: '94287082', sha256: '46119246', sha512: '90693936' }],
    [1111111109, 0x23523ec, { sha1: '07081804', sha256: '68084774', sha512: '25091201' }],
    [1111111111, 0x23523ed, { sha1: '14050471', sha256: '67062674', sha512: '99943326' }],
    [1234567890, 0x273ef07, { sha1: '89005924', sha256: '91819424', sha512: '93441116' }],
    [2000000000, 0x3f940aa, { sha1: '69279037', sha256: '90698825', sha512: '38618901' }],
    [20000000000, 0x27bc86aa, { sha1: '65353130', sha256: '77737706', sha512: '47863826' }],
  ])('at %i seconds', (seconds, step, codes) => {
    expect(totpStep(new Date(seconds * 1000))).toBe(step);
    for (const algorithm of ['sha1', 'sha256', 'sha512'] as const) {
      expect(hotp(secrets[algorithm], step, 8, algorithm)).toBe(codes[algorithm]);
    }
  });
});

test('a step begins every 30 seconds', () => {
  expect(totpStep(new Date('2026-11-22T12:00:29.999Z'))).toBe(NOW);
  expect(totpStep(new Date('2026-11-22T12:00:30Z'))).toBe(NOW + 1);
});

test('a secret is 20 random bytes', () => {
  const secrets = Array.from({ length: 100 }, () => createTotpSecret());
  for (const secret of secrets) expect(secret).toHaveLength(20);
  expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(100);
});

describe('a code', () => {
  const code = hotp(SECRET, NOW);

  test('is good in its step, and in those beside it', () => {
    for (const [step, at] of [
      [NOW, '2026-11-22T12:00:29.999Z'],
      [NOW, '2026-11-22T12:00:59.999Z'],
      [null, '2026-11-22T12:01:00Z'],
      [NOW, '2026-11-22T11:59:30Z'],
      [null, '2026-11-22T11:59:29.999Z'],
    ] as const) {
      expect(guess(code, { at: new Date(at) })).toBe(step);
    }
  });

  test('is good only now where there is no window', () => {
    expect(guess(code, { window: 0 })).toBe(NOW);
    expect(guess(hotp(SECRET, NOW - 1), { window: 0 })).toBeNull();
    expect(guess(hotp(SECRET, NOW + 1), { window: 0 })).toBeNull();
  });

  test('is no good once its step or a later one was used', () => {
    for (const after of [NOW, NOW + 1, BigInt(NOW)]) expect(guess(code, { after })).toBeNull();
    for (const after of [NOW - 1, BigInt(NOW - 1)]) expect(guess(code, { after })).toBe(NOW);
  });

  test('that two steps share is of the later', () => {
    // Of a million codes, a thousand steps or so share one: in a window that no caller would set.
    const seen = new Set<string>();
    let step = 0;
    while (!seen.has(hotp(SECRET, step))) seen.add(hotp(SECRET, step++));
    const shared = hotp(SECRET, step);
    const at = new Date(step * 30_000);
    expect(guess(shared, { at, window: step })).toBe(step);
    expect(guess(shared, { at, window: step, after: step })).toBeNull();
  });

  test('of the first steps of all is found too', () => {
    expect(guess('755224', { at: new Date(0) })).toBe(0);
  });

  test('may have the spaces that people type', () => {
    const typed = `${code.slice(0, 3)} ${code.slice(3)}`;
    for (const text of [typed, [...code].join(' ')]) expect(guess(text)).toBe(NOW);
  });

  test.each([
    ['nothing', ''],
    ['five digits', code.slice(1)],
    ['seven', `${code}0`],
    ['a space before', ` ${code}`],
    ['a line break after', `${code}\n`],
    ['two spaces', `${code.slice(0, 3)}  ${code.slice(3)}`],
    ['a hyphen', `${code.slice(0, 3)}-${code.slice(3)}`],
    ['a sign', `+${code.slice(1)}`],
    [
      'digits of another script',
      [...code].map((digit) => String.fromCodePoint(0x660 + Number(digit))).join(''),
    ],
  ])('is none: %s', (_case, text) => {
    expect(guess(text)).toBeNull();
  });

  test('of another secret is none', () => {
    const other = Buffer.from('09876543210987654321');
    expect(guess(code, { secret: other })).toBeNull();
  });
});

test('any code is found exactly within its window, and never of a step up to the last one used', () => {
  const runs = { count: 0, found: 0 };
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      fc.date({ min: new Date('2020-01-01Z'), max: new Date('2100-01-01Z'), noInvalidDate: true }),
      fc.integer({ min: -4, max: 4 }),
      fc.integer({ min: 0, max: 3 }),
      fc.option(fc.integer({ min: -5, max: 5 })),
      (secret, at, early, window, used) => {
        const now = totpStep(at);
        const step = now + early;
        const code = hotp(secret, step);
        // One in a million steps shares its code with another by chance.
        for (let other = now - window; other <= now + window; other += 1) {
          fc.pre(other === step || hotp(secret, other) !== code);
        }
        const isGood = Math.abs(early) <= window && (used === null || early > used);
        const after = used === null ? null : now + used;
        expect(findStep({ secret, code, at, window, after })).toBe(isGood ? step : null);
        runs.count += 1;
        if (isGood) runs.found += 1;
      },
    ),
    { numRuns: 2000 },
  );
  expect(runs.found).toBeGreaterThan(0);
  expect(runs.found).toBeLessThan(runs.count);
});
