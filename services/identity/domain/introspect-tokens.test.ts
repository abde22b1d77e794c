import { expect, test } from 'vitest';
import type { AccessTokenClaims } from './access-token.ts';
import { VerifiedTokens } from './introspect-tokens.ts';
import type { Uuid } from './uuid.ts';

const NOW = 1_000_000_000_000;
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = (jti: string) => `${part({ kid: 'k1' })}.${part({ jti, client_id: 'optix' })}.sig`;

function claimsOf(token: string, exp: number): AccessTokenClaims {
  const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const id = '019b0000-0000-7000-8000-000000000000' as Uuid;
  return {
    iss: 'i',
    aud: ['optix'],
    sub: id,
    sid: id,
    jti,
    iat: 0,
    nbf: 0,
    exp,
    roles: [],
    gen: 1,
    kid: 'k1',
  };
}

function remembering(bounds: { readonly mostTokens?: number; readonly mostCharacters?: number } = {}) {
  const asked: string[] = [];
  const tokens = new VerifiedTokens({
    verify: async (token) => {
      asked.push(token);
      return token.endsWith('sig') ? claimsOf(token, NOW / 1000 + 60) : null;
    },
    ...bounds,
  });
  return { tokens, asked };
}

test('a token is verified once, and told with its client', async () => {
  const { tokens } = remembering();
  const token = tokenOf('a');
  expect(tokens.peek(token, NOW)).toBeUndefined();
  const verified = await tokens.verify(token, NOW);
  expect(verified).toMatchObject({ clientId: 'optix', claims: { jti: 'a' } });
  expect(tokens.peek(token, NOW)).toBe(verified);
});

test('one that is not good is not remembered, nor one that differs in its signature', async () => {
  const { tokens } = remembering();
  await tokens.verify(tokenOf('a'), NOW);
  expect(await tokens.verify(`${tokenOf('a')}x`, NOW)).toBeNull();
  expect(tokens.peek(`${tokenOf('a')}x`, NOW)).toBeUndefined();
  expect(tokens.size).toBe(1);
});

test('it is not told after its time', async () => {
  const { tokens } = remembering();
  await tokens.verify(tokenOf('a'), NOW);
  expect(tokens.peek(tokenOf('a'), NOW + 59_999)).toBeDefined();
  expect(tokens.peek(tokenOf('a'), NOW + 60_000)).toBeUndefined();
});

test('as many are remembered as may be, and those in use stay', async () => {
  const { tokens } = remembering({ mostTokens: 100 });
  await tokens.verify(tokenOf('used'), NOW);
  for (let index = 0; index < 1_000; index += 1) {
    await tokens.verify(tokenOf(String(index)), NOW);
    expect(tokens.size).toBeLessThanOrEqual(100);
    expect(tokens.peek(tokenOf('used'), NOW)).toBeDefined();
  }
});

test('long ones are as many fewer', async () => {
  const { tokens } = remembering({ mostCharacters: 20_000 });
  for (let index = 0; index < 100; index += 1) {
    await tokens.verify(tokenOf(`${index}`.padStart(3_000, '0')), NOW);
  }
  expect(tokens.size).toBeGreaterThanOrEqual(2);
  expect(tokens.size).toBeLessThanOrEqual(5);
});

test('when a key was revoked all are forgotten, also one that was being verified', async () => {
  const { tokens } = remembering();
  const before = await tokens.verify(tokenOf('a'), NOW);
  const during = tokens.verify(tokenOf('b'), NOW);
  tokens.clear();
  const verified = await during;
  expect(tokens.size).toBe(0);
  if (before === null || verified === null) throw new Error('both are good in themselves');
  expect(tokens.isCurrent(before)).toBe(false);
  expect(tokens.isCurrent(verified)).toBe(false);
  const after = await tokens.verify(tokenOf('a'), NOW);
  expect(after !== null && tokens.isCurrent(after)).toBe(true);
});
