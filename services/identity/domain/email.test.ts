import { expect, test } from 'vitest';
import { parseEmail } from './email.ts';

test.each([
  ['Ada.Lovelace+news@Example.COM', 'ada.lovelace+news@example.com'],
  ["o'brien@sub.example.co.uk", "o'brien@sub.example.co.uk"],
  ['JOSE\u0301@example.com', 'jos\u00e9@example.com'],
  ['x@xn--bcher-kva.example', 'x@xn--bcher-kva.example'],
  [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
])('accepts %s', (text, normalized) => {
  expect(parseEmail(text)).toEqual({ ok: true, value: { written: text.normalize('NFC'), normalized } });
});

test.each([
  '',
  'plain',
  '@example.com',
  'a@',
  'a@b',
  'a@b@example.com',
  'a b@example.com',
  ' a@example.com',
  'a@example.com ',
  'a@example.com\r\nBcc: victim@example.com',
  'a\u0000@example.com',
  'a\u200b@example.com',
  '.a@example.com',
  'a..b@example.com',
  '"a b"@example.com',
  'a@[127.0.0.1]',
  'a@-example.com',
  'a@example.123',
  'a@b\u00fccher.example',
  '<a@example.com>',
  'a\ud800@example.com',
  `${'a'.repeat(65)}@example.com`,
])('refuses %j', (text) => {
  expect(parseEmail(text)).toMatchObject({ ok: false, reason: expect.stringMatching(/^must /) });
});

test('counts bytes, not characters: 254 at most', () => {
  const domain = (length: number) => `${'d'.repeat(60)}.`.repeat(3) + 'e'.repeat(length - 183);
  expect(parseEmail(`abcdef@${domain(245)}`).ok).toBe(true);
  expect(parseEmail(`${'\u00e9'.repeat(4)}@${domain(245)}`).ok).toBe(true);
  expect(parseEmail(`${'\u00e9'.repeat(5)}@${domain(245)}`)).toEqual({
    ok: false,
    reason: 'must be at most 254 bytes',
  });
});

test('answers a hostile text of the greatest length at once', () => {
  const startedAt = performance.now();
  expect(parseEmail(`${'a.'.repeat(120)}!@`).ok).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(50);
});
