import { expect, test } from 'vitest';
import { loadCommonPasswords } from './password-blocklist-common.ts';
import { exceedsPasswordLength, PasswordPolicy, parseNewPassword } from './password-policy.ts';

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

const ADA = { email: 'ada.lovelace@example.com', firstName: 'Ada', lastName: 'Lovelace' };
const policy = new PasswordPolicy({ blocklists: [await loadCommonPasswords()] });

test.each([
  'correct horse battery',
  // No kinds of characters are asked for.
  'gfkwyhzq',
  '73190462',
  'T7#q~v8Z',
  // Unicode, and spaces, count like others.
  '\u65e5\u672c\u8a9e\u306e\u9577\u3044\u5408\u8a00\u8449',
  ' leading and trailing ',
  // The whole password is compared: what it contains does not matter.
  'my password is qwertyuiop',
  'password of ada.lovelace@example.com',
  'optix brings me coffee',
  'aaaaaaaab',
])('lets %j be chosen', async (password) => {
  expect(await policy.check(password, ADA)).toEqual({ ok: true, value: password });
});

test('gives NFC of what was chosen', async () => {
  expect(await policy.check('cafe\u0301 brule\u0301', ADA)).toEqual({
    ok: true,
    value: 'caf\u00e9 brul\u00e9',
  });
});

test.each([
  ['short', /^must have at least 8 characters$/],
  ['x'.repeat(129), /^must have at most 128 characters$/],
  ['12345678\ud800', /^must be valid Unicode$/],
  ['password', /list of common and breached/],
  ['PassWord', /list of common and breached/],
  ['iloveyou', /list of common and breached/],
  // A word of a dictionary.
  ['absolute', /list of common and breached/],
  ['aaaaaaaa', /repeated/],
  ['        ', /repeated/],
  ['\u{1f511}'.repeat(8), /repeated/],
  ['abc1ABC1abc1', /repeated/],
  ['12345678', /sequence/],
  ['87654321', /sequence/],
  ['ABCDefgh', /sequence/],
  ['4567890123', /sequence/],
  ['ada.lovelace@example.com', /e-mail address, the name/],
  ['Ada.Lovelace', /e-mail address, the name/],
  ['lovelace-ada', /e-mail address, the name/],
  ['AdaLovelace2026!', /e-mail address, the name/],
  ['lovelace1', /e-mail address, the name/],
  ['Optix-2026!', /e-mail address, the name/],
])('refuses %j, and tells why', async (password, reason) => {
  expect(await policy.check(password, ADA)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
});

test('asks the lists one after another, for the normalised password', async () => {
  const asked: string[] = [];
  const listing = (name: string, listed: boolean) => ({
    has: async (password: string) => {
      asked.push(`${name}: ${password}`);
      return listed;
    },
  });
  const lists = [listing('first', false), listing('second', true), listing('third', true)];
  const strict = new PasswordPolicy({ minCharacters: 10, blocklists: lists });
  expect(await strict.check('cafe\u0301 brule\u0301', {})).toMatchObject({ ok: false });
  expect(asked).toEqual(['first: caf\u00e9 brul\u00e9', 'second: caf\u00e9 brul\u00e9']);
  // What is refused for its length is not looked up.
  expect(await strict.check('ninechars', {})).toEqual({
    ok: false,
    reason: 'must have at least 10 characters',
  });
  expect(asked).toHaveLength(2);
});

test('a list that can not be read lets nothing be chosen', async () => {
  const broken = new PasswordPolicy({
    blocklists: [{ has: () => Promise.reject(new Error('the disk is gone')) }],
  });
  await expect(broken.check('correct horse battery', ADA)).rejects.toThrow('the disk is gone');
});
