import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createRefreshToken, parseRefreshToken } from './refresh-token.ts';
import type { Uuid } from './uuid.ts';

const FAMILY = '0198c5a0-7bff-7fff-bfbf-ffffffffffff' as Uuid;

test('a prefix that says what it is, the family, and 256 random bits', () => {
  const tokens = Array.from({ length: 100 }, () => createRefreshToken(FAMILY).token);
  for (const token of tokens) expect(token).toMatch(/^optix_rt_AZjFoHv_f_-_v________w_[A-Za-z0-9_-]{43}$/);
  expect(new Set(tokens).size).toBe(100);
});

test('what is stored is the SHA-256 of the whole token', () => {
  const { token, hash } = createRefreshToken(FAMILY);
  expect(hash).toEqual(createHash('sha256').update(token).digest());
});

test('leads back to its family and its hash', () => {
  for (let round = 0; round < 200; round++) {
    const familyId = randomUUID() as Uuid;
    const { token, hash } = createRefreshToken(familyId);
    expect(parseRefreshToken(token)).toEqual({ familyId, hash });
  }
});

describe('is no refresh token:', () => {
  const { token } = createRefreshToken('01234567-89ab-7def-8123-456789abcdef' as Uuid);

  test.each([
    ['nothing', ''],
    ['an access token', 'eyJhbGciOiJFZERTQSJ9.e30.c2ln'],
    ['the form of earlier versions', `ort_${'A'.repeat(43)}`],
    ['a character too few', token.slice(0, -1)],
    ['a character too many', `${token}A`],
    ['a line break at the end', `${token}\n`],
    ['a blank before it', ` ${token}`],
    ['other letters in the prefix', token.replace('optix_rt_', 'OPTIX_RT_')],
    ['standard base64', token.replace(/.$/, '+')],
    ["another spelling of the family's id", `${token.slice(0, 30)}x${token.slice(31)}`],
  ])('%s', (_case, text) => {
    expect(parseRefreshToken(text)).toBeNull();
  });
});
