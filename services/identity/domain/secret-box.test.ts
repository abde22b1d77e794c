import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SecretUnreadable } from './errors.ts';
import { SecretBox } from './secret-box.ts';

const FIRST = { id: 'k1', key: randomBytes(32) };
const SECOND = { id: 'k2', key: randomBytes(32) };
const CONTEXT = { purpose: 'signing-key', owner: 'kid-1' };
const SECRET = Buffer.from('the private part');

test('opens what it sealed', () => {
  const box = SecretBox.fromKeys(FIRST);
  const sealed = box.seal(SECRET, CONTEXT);
  expect(sealed.keyId).toBe('k1');
  expect(Buffer.from(sealed.ciphertext).includes(SECRET)).toBe(false);
  expect(box.open(sealed, CONTEXT)).toEqual(SECRET);
});

test('two seals of one secret differ', () => {
  const box = SecretBox.fromKeys(FIRST);
  expect(box.seal(SECRET, CONTEXT).ciphertext).not.toEqual(box.seal(SECRET, CONTEXT).ciphertext);
});

test('an older key still opens, the primary one seals', () => {
  const sealed = SecretBox.fromKeys(FIRST).seal(SECRET, CONTEXT);
  const rotated = SecretBox.fromKeys(SECOND, [FIRST]);
  expect(rotated.open(sealed, CONTEXT)).toEqual(SECRET);
  expect(rotated.seal(SECRET, CONTEXT).keyId).toBe('k2');
  expect(rotated.primaryKeyId).toBe('k2');
});

describe('does not open', () => {
  const box = SecretBox.fromKeys(FIRST, [SECOND]);
  const sealed = box.seal(SECRET, CONTEXT);

  test.each([
    ['for another purpose', { ...CONTEXT, purpose: 'totp' }],
    ['for another owner', { ...CONTEXT, owner: 'kid-2' }],
    ['where the border between purpose and owner moved', { purpose: 'signing-keyk', owner: 'id-1' }],
  ])('%s', (_case, context) => {
    expect(() => box.open(sealed, context)).toThrow(SecretUnreadable);
  });

  test('with another key under the same id', () => {
    const other = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });
    expect(() => other.open(sealed, CONTEXT)).toThrow(SecretUnreadable);
  });

  test('with the name of another key', () => {
    expect(() => box.open({ ...sealed, keyId: 'k2' }, CONTEXT)).toThrow(SecretUnreadable);
  });

  test('without its key', () => {
    expect(() => SecretBox.fromKeys(SECOND).open(sealed, CONTEXT)).toThrow('there is no key "k1"');
  });

  test('with any byte changed', () => {
    for (let index = 0; index < sealed.ciphertext.length; index++) {
      const changed = Buffer.from(sealed.ciphertext);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(() => box.open({ ...sealed, ciphertext: changed }, CONTEXT)).toThrow(SecretUnreadable);
    }
  });

  test('cut short', () => {
    for (let length = 0; length < sealed.ciphertext.length; length++) {
      const cut = { ...sealed, ciphertext: sealed.ciphertext.subarray(0, length) };
      expect(() => box.open(cut, CONTEXT)).toThrow(SecretUnreadable);
    }
  });
});

test('refuses keys of a wrong length and ids that clash', () => {
  expect(() => SecretBox.fromKeys({ id: 'k', key: randomBytes(16) })).toThrow(RangeError);
  expect(() => SecretBox.fromKeys({ id: '', key: randomBytes(32) })).toThrow(RangeError);
  expect(() => SecretBox.fromKeys(FIRST, [{ ...SECOND, id: 'k1' }])).toThrow(RangeError);
});
