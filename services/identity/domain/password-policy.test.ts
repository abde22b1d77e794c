import { expect, test } from 'vitest';
import { exceedsPasswordLength, parseNewPassword } from './password-policy.ts';

test.each(['12345678', '        ', 'p'.repeat(128), '\u{1f511}'.repeat(8), '\u{1f511}'.repeat(128)])(
  'accepts %j: only the length counts',
  (text) => {
    expect(parseNewPassword(text)).toEqual({ ok: true, value: text });
  },
);

test.each([
  ['', 'must have at least 8 characters'],
  ['1234567', 'must have at least 8 characters'],
  // Fourteen UTF-16 units, seven characters.
  ['\u{1f511}'.repeat(7), 'must have at least 8 characters'],
  // Eight code points as typed, four after composition.
  ['e\u0301'.repeat(4), 'must have at least 8 characters'],
  ['p'.repeat(129), 'must have at most 128 characters'],
  ['12345678\ud800', 'must be valid Unicode'],
])('refuses %j', (text, reason) => {
  expect(parseNewPassword(text)).toEqual({ ok: false, reason });
});

test('the minimum is a parameter', () => {
  expect(parseNewPassword('12345678901', 12).ok).toBe(false);
  expect(parseNewPassword('123456789012', 12).ok).toBe(true);
});

test('gives NFC, so that both ways to type a character are one password', () => {
  expect(parseNewPassword('cafe\u0301 cafe\u0301')).toEqual({ ok: true, value: 'caf\u00e9 caf\u00e9' });
});

/** A megabyte of marks that NFC has to sort: hours of work for whoever normalises before looking at the length. */
const MARKS = '\u0301\u0323'.repeat(262_144);

test('refuses a text that is much too long without normalising it', () => {
  expect(parseNewPassword(MARKS)).toEqual({ ok: false, reason: 'must have at most 128 characters' });
  expect(exceedsPasswordLength(MARKS)).toBe(true);
});
