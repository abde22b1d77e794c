import { decodeJwt, decodeProtectedHeader } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { authenticationContext } from './authentication-context.ts';
import { MalformedToken } from './errors.ts';
import { AUDIENCE, ISSUER, later, newKey, START, session, TestKeys } from './testing-access-tokens.ts';

let shared: TestKeys;
beforeEach(async () => {
  shared = await TestKeys.create();
});

describe('a token', () => {
  test('has the header and the claims of RFC 9068', async () => {
    const { tokens } = shared.replica();
    const { token, expiresAt } = await tokens.issue(session);
    const iat = START.getTime() / 1000;
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: shared.stored[0]?.kid });
    expect(decodeJwt(token)).toEqual({
      iss: ISSUER,
      aud: AUDIENCE,
      sub: session.userId,
      sid: session.sessionId,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      client_id: 'optix',
      iat,
      nbf: iat,
      exp: iat + 900,
      roles: ['user', 'premium'],
      gen: 3,
      ...{ amr: ['pwd'], acr: 'aal1', auth_time: iat },
    });
    expect(expiresAt).toEqual(later(900));
  });

  test('verifies, on another replica too', async () => {
    const { token } = await shared.replica().tokens.issue(session);
    expect(await shared.replica().tokens.verify(token)).toMatchObject({
      iss: ISSUER,
      aud: [AUDIENCE],
      sub: session.userId,
      sid: session.sessionId,
      roles: ['user', 'premium'],
      gen: 3,
      kid: shared.stored[0]?.kid,
      ...{ amr: ['pwd'], acr: 'aal1', auth_time: START.getTime() / 1000 },
    });
  });

  test('says how its user authenticated (RFC 9068 section 2.2.1)', async () => {
    const authentication = authenticationContext(['pwd', 'otp'], new Date(START.getTime() - 1500));
    const { token } = await shared.replica().tokens.issue({ ...session, authentication });
    expect(await shared.replica().tokens.verify(token)).toMatchObject({
      ...{ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', auth_time: START.getTime() / 1000 - 2 },
    });
  });

  test('holds for 15 minutes, and 5 seconds of clocks that differ', async () => {
    const { tokens } = shared.replica();
    const { token } = await tokens.issue(session);
    shared.clock = later(904);
    expect(await tokens.verify(token)).not.toBeNull();
    shared.clock = later(905);
    expect(await tokens.verify(token)).toBeNull();
    shared.clock = later(-5);
    expect(await tokens.verify(token)).not.toBeNull();
    shared.clock = later(-6);
    expect(await tokens.verify(token)).toBeNull();
  });
});

describe('with a key of each algorithm', () => {
  test.each(['EdDSA', 'ES256'] as const)('%s signs and verifies', async (algorithm) => {
    shared.stored = [await newKey(algorithm)];
    const { token } = await shared.replica().tokens.issue(session);
    expect(decodeProtectedHeader(token).alg).toBe(algorithm);
    expect(await shared.replica().tokens.verify(token)).toMatchObject({
      sub: session.userId,
      kid: shared.stored[0]?.kid,
    });
  });

  test('what was signed before the algorithm was changed verifies still', async () => {
    const { token } = await shared.replica().tokens.issue(session);
    const [old] = shared.stored;
    if (old === undefined) throw new Error('no key');
    shared.stored = [{ ...old, status: 'retired', retiredAt: START }, await newKey('ES256')];
    const { tokens, keys } = shared.replica();
    expect(await tokens.verify(token)).not.toBeNull();
    expect(decodeProtectedHeader((await tokens.issue(session)).token).alg).toBe('ES256');
    expect((await keys.jwks()).keys.map(({ alg, kty }) => [alg, kty])).toEqual([
      ['EdDSA', 'OKP'],
      ['ES256', 'EC'],
    ]);
  });
});

describe('has not the form of a token:', () => {
  const header = Buffer.from('{"alg":"EdDSA"}').toString('base64url');

  test.each([
    [''],
    ['opaque'],
    ['a.b'],
    [`${header}.e30.c.d`],
    [`${header}.e30.c+d`],
    [` ${header}.e30.cc`],
    [`${header}..cc`],
    [`${Buffer.from('not json').toString('base64url')}.e30.cc`],
    [`${Buffer.from('[1]').toString('base64url')}.e30.cc`],
    ['\u0000'],
  ])('%j', async (token) => {
    await expect(shared.replica().tokens.verify(token)).rejects.toThrow(MalformedToken);
  });

  test('more than 8192 bytes', async () => {
    const { tokens } = shared.replica();
    const token = `${header}.e30.`;
    expect(await tokens.verify(token + 'c'.repeat(8192 - token.length))).toBeNull();
    await expect(tokens.verify(token + 'c'.repeat(8193 - token.length))).rejects.toThrow(MalformedToken);
  });
});

describe('keys', () => {
  test('a key that another replica made is found, once the interval has passed', async () => {
    const old = shared.replica({ reloadIntervalMs: 0 });
    await old.tokens.issue(session);
    const [retired] = shared.stored;
    if (retired === undefined) throw new Error('no key');
    shared.stored = [{ ...retired, status: 'retired', retiredAt: START }, await newKey('EdDSA')];
    const { token } = await shared.replica().tokens.issue(session);
    expect(await old.tokens.verify(token)).not.toBeNull();
    expect((await old.keys.jwks()).keys.map(({ kid }) => kid)).toEqual(shared.stored.map(({ kid }) => kid));
  });

  test('made-up key ids make the store read once in the interval, however many come', async () => {
    const { keys } = shared.replica({ reloadIntervalMs: 60_000 });
    await keys.active();
    expect(shared.reads).toBe(1);
    for (let index = 0; index < 50; index++) expect(await keys.find(`made-up-${index}`)).toBeNull();
    expect(shared.reads).toBe(1);
  });

  test('many who need the keys at once share one read', async () => {
    const { keys } = shared.replica();
    await Promise.all(Array.from({ length: 20 }, () => keys.active()));
    expect(shared.reads).toBe(1);
  });
});
