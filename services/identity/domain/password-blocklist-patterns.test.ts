import { expect, test } from 'vitest';
import { isRepetition, isSequence } from './password-blocklist-patterns.ts';

test.each(['aaaaaaaa', 'aAaAaAaA', 'abababab', 'abc1abc1abc1', '12345671234567'])(
  '%j repeats a unit that is too short to be a password',
  (text) => {
    expect(isRepetition(text, 8)).toBe(true);
  },
);

test.each(['aaaaaaab', 'abcabcab', 'correcthorsecorrecthorse', 'a', ''])('%j does not', (text) => {
  expect(isRepetition(text, 8)).toBe(false);
});

test.each(['12345678', '87654321', 'abcdefgh', 'HGFEDCBA', 'aBcDeFgH', '67890123', '32109876'])(
  '%j is a sequence',
  (text) => {
    expect(isSequence(text)).toBe(true);
  },
);

test.each(['12345679', '13579acf', 'abcdefga', 'aaaaaaaa', '1212', 'a', ''])('%j is none', (text) => {
  expect(isSequence(text)).toBe(false);
});
