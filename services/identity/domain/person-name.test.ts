import { expect, test } from 'vitest';
import { parsePersonName } from './person-name.ts';

test.each([
  ['', ''],
  ['  Ada ', 'Ada'],
  ['Jose\u0301', 'Jos\u00e9'],
  ["O'Brien-\u5c71\u7530", "O'Brien-\u5c71\u7530"],
  ['\u{1f600}'.repeat(100), '\u{1f600}'.repeat(100)],
])('reads %j', (text, value) => {
  expect(parsePersonName(text)).toEqual({ ok: true, value });
});

test.each(['Ada\u0000', 'Ada\nLovelace', 'Ada\u2028', 'x'.repeat(101)])('refuses %j', (text) => {
  expect(parsePersonName(text).ok).toBe(false);
});

test('refuses a text that is much too long without normalising it', () => {
  expect(parsePersonName('\u0301\u0323'.repeat(262_144))).toEqual({
    ok: false,
    reason: 'must have at most 100 characters',
  });
});
