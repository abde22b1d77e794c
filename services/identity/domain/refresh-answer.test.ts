import { expect, test } from 'vitest';
import { SecretUnreadable } from './errors.ts';
import { openAnswer, type RefreshAnswer, sealAnswer } from './refresh-answer.ts';
import { createRefreshToken } from './refresh-token.ts';
import type { Uuid } from './uuid.ts';

const FAMILY = '0198c5a0-7bff-7fff-bfbf-ffffffffffff' as Uuid;
const ANSWER: RefreshAnswer = {
  accessToken: { token: 'a.b.c', expiresAt: new Date('2026-01-01T00:15:00Z') },
  refreshToken: { token: createRefreshToken(FAMILY).token, expiresAt: new Date('2026-02-01T00:00:00.123Z') },
  sessionId: '0198c5a0-7bff-7fff-bfbf-000000000001' as Uuid,
  userId: '0198c5a0-7bff-7fff-bfbf-000000000002' as Uuid,
};

test('opens with the token it was sealed for, and is what it was', () => {
  const { token } = createRefreshToken(FAMILY);
  expect(openAnswer(sealAnswer(ANSWER, token), token)).toEqual(ANSWER);
});

test('opens with no other token of the family', () => {
  const sealed = sealAnswer(ANSWER, createRefreshToken(FAMILY).token);
  expect(() => openAnswer(sealed, createRefreshToken(FAMILY).token)).toThrow(SecretUnreadable);
  expect(() => openAnswer(sealed, ANSWER.refreshToken.token)).toThrow(SecretUnreadable);
});

test('opens no more with any byte changed, or cut', () => {
  const { token } = createRefreshToken(FAMILY);
  const sealed = sealAnswer(ANSWER, token);
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Buffer.from(sealed);
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
    expect(() => openAnswer(changed, token)).toThrow(SecretUnreadable);
    expect(() => openAnswer(sealed.subarray(0, index), token)).toThrow(SecretUnreadable);
  }
});

test('two answers to one token look different', () => {
  const { token } = createRefreshToken(FAMILY);
  expect(sealAnswer(ANSWER, token)).not.toEqual(sealAnswer(ANSWER, token));
});
