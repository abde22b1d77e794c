import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createRefreshToken, hashRefreshToken } from './refresh-token.ts';

test('256 random bits behind a prefix that says what it is', () => {
  const tokens = Array.from({ length: 100 }, () => createRefreshToken().token);
  for (const token of tokens) expect(token).toMatch(/^ort_[A-Za-z0-9_-]{43}$/);
  expect(new Set(tokens).size).toBe(100);
});

test('what is stored is the SHA-256 of the whole token', () => {
  const { token, hash } = createRefreshToken();
  expect(hash).toEqual(createHash('sha256').update(token).digest());
  expect(hashRefreshToken(token)).toEqual(hash);
});
