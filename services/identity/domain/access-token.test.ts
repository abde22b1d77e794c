import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { AccessTokens } from './access-token.ts';
import { MalformedToken } from './errors.ts';
import { SecretBox } from './secret-box.ts';
import { generateSigningKey, type StoredSigningKey } from './signing-key.ts';
import { SigningKeys } from './signing-keys.ts';

const ISSUER = 'https://identity.example';
const AUDIENCE = 'optix-backends';
const START = new Date('2026-01-01T00:00:00Z');
const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });
const session = { userId: randomUUID(), sessionId: randomUUID(), roles: ['user', 'premium'] };

let stored: StoredSigningKey[];
let reads: number;
let clock: Date;

function replica(overrides: { issuer?: string; audience?: string; reloadIntervalMs?: number } = {}) {
  const { reloadIntervalMs = 60_000, ...options } = overrides;
  const keys = new SigningKeys({
    store: {
      list: async () => {
        reads += 1;
        return stored;
      },
      insertActive: async () => false,
    },
    secretBox,
    onUnreadable: (_kid, error) => {
      throw error;
    },
    reloadIntervalMs,
  });
  const tokens = new AccessTokens({ keys, issuer: ISSUER, audience: AUDIENCE, now: () => clock, ...options });
  return { keys, tokens };
}

beforeEach(async () => {
  stored = [await generateSigningKey(secretBox)];
  reads = 0;
  clock = START;
});

const later = (seconds: number) => new Date(START.getTime() + seconds * 1000);

describe('a token', () => {
  test('has the header and the claims of RFC 9068', async () => {
    const { tokens } = replica();
    const { token, expiresAt } = await tokens.issue(session);
    const iat = START.getTime() / 1000;
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: stored[0]?.kid });
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
      amr: ['pwd'],
    });
    expect(expiresAt).toEqual(later(900));
  });

  test('verifies, on another replica too', async () => {
    const { token } = await replica().tokens.issue(session);
    expect(await replica().tokens.verify(token)).toMatchObject({
      iss: ISSUER,
      aud: [AUDIENCE],
      sub: session.userId,
      sid: session.sessionId,
      roles: ['user', 'premium'],
    });
  });

  test('holds for 15 minutes, and 5 seconds of clocks that differ', async () => {
    const { tokens } = replica();
    const { token } = await tokens.issue(session);
    clock = later(904);
    expect(await tokens.verify(token)).not.toBeNull();
    clock = later(905);
    expect(await tokens.verify(token)).toBeNull();
    clock = later(-5);
    expect(await tokens.verify(token)).not.toBeNull();
    clock = later(-6);
    expect(await tokens.verify(token)).toBeNull();
  });
});

describe('is not good, though well-formed:', () => {
  async function forge(change: {
    header?: Partial<JWTHeaderParameters>;
    payload?: JWTPayload;
    key?: Parameters<SignJWT['sign']>[0];
  }) {
    const { keys } = replica();
    const active = await keys.active();
    const iat = START.getTime() / 1000;
    const claims = {
      ...{ iss: ISSUER, aud: AUDIENCE, sub: session.userId, sid: session.sessionId, jti: 'j' },
      ...{ iat, nbf: iat, exp: iat + 900, roles: ['user'] },
      ...change.payload,
    };
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: active.kid, ...change.header })
      .sign(change.key ?? active.privateKey);
  }

  test('(the forgery that changes nothing is good)', async () => {
    expect(await replica().tokens.verify(await forge({}))).not.toBeNull();
  });

  test('signed by somebody else under our key id', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(await replica().tokens.verify(await forge({ key: privateKey }))).toBeNull();
  });

  test('an HMAC made with our public key', async () => {
    const key = new TextEncoder().encode(JSON.stringify(stored[0]?.publicJwk));
    expect(await replica().tokens.verify(await forge({ header: { alg: 'HS256' }, key }))).toBeNull();
  });

  test('alg none, with and without a signature', async () => {
    const [, payload] = (await forge({})).split('.');
    const header = (alg: string) =>
      Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid: stored[0]?.kid })).toString('base64url');
    expect(await replica().tokens.verify(`${header('none')}.${payload}.`)).toBeNull();
    expect(await replica().tokens.verify(`${header('none')}.${payload}.AAAA`)).toBeNull();
    expect(await replica().tokens.verify(`${header('EdDSA')}.${payload}.`)).toBeNull();
  });

  test.each<[string, Parameters<typeof forge>[0]]>([
    ['another type', { header: { typ: 'JWT' } }],
    ['an unknown key', { header: { kid: 'x' } }],
    ['no key id', { header: { kid: undefined as unknown as string } }],
    ['another issuer', { payload: { iss: 'https://evil.example' } }],
    ['another audience', { payload: { aud: 'others' } }],
    ['no session', { payload: { sid: undefined } }],
    ['a session that is no UUID', { payload: { sid: "' or 1=1" } }],
    ['a user that is no UUID', { payload: { sub: 'admin' } }],
    ['no end', { payload: { exp: undefined } as unknown as JWTPayload }],
    ['roles that are no list', { payload: { roles: 'admin' } }],
  ])('%s', async (_case, change) => {
    expect(await replica().tokens.verify(await forge(change))).toBeNull();
  });

  test('a header that asks for an extension nobody knows', async () => {
    const { keys, tokens } = replica();
    const { kid, privateKey } = await keys.active();
    const [, payload] = (await forge({})).split('.');
    const signed = async (extension: object) => {
      const header = { alg: 'EdDSA', typ: 'at+jwt', kid, ...extension };
      const input = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}`;
      return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
    };
    expect(await tokens.verify(await signed({}))).not.toBeNull();
    expect(await tokens.verify(await signed({ crit: ['ext'], ext: 1 }))).toBeNull();
  });

  test('with any part changed', async () => {
    const { tokens } = replica();
    const { token } = await tokens.issue(session);
    const [header, payload, signature] = token.split('.');
    const claims = { ...decodeJwt(token), roles: ['admin'] };
    const forged = Buffer.from(JSON.stringify(claims)).toString('base64url');
    expect(await tokens.verify(`${header}.${forged}.${signature}`)).toBeNull();
    expect(await tokens.verify(`${header}.${payload}.${'A'.repeat(86)}`)).toBeNull();
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
    await expect(replica().tokens.verify(token)).rejects.toThrow(MalformedToken);
  });

  test('more than 8192 bytes', async () => {
    const { tokens } = replica();
    const token = `${header}.e30.`;
    expect(await tokens.verify(token + 'c'.repeat(8192 - token.length))).toBeNull();
    await expect(tokens.verify(token + 'c'.repeat(8193 - token.length))).rejects.toThrow(MalformedToken);
  });
});

describe('keys', () => {
  test('a key that another replica made is found, once the interval has passed', async () => {
    const old = replica({ reloadIntervalMs: 0 });
    await old.tokens.issue(session);
    const [retired] = stored;
    if (retired === undefined) throw new Error('no key');
    stored = [{ ...retired, status: 'retired' }, await generateSigningKey(secretBox)];
    const { token } = await replica().tokens.issue(session);
    expect(await old.tokens.verify(token)).not.toBeNull();
    expect((await old.keys.jwks()).keys.map(({ kid }) => kid)).toEqual(stored.map(({ kid }) => kid));
  });

  test('made-up key ids make the store read once in the interval, however many come', async () => {
    const { keys } = replica({ reloadIntervalMs: 60_000 });
    await keys.active();
    expect(reads).toBe(1);
    for (let index = 0; index < 50; index++) expect(await keys.find(`made-up-${index}`)).toBeNull();
    expect(reads).toBe(1);
  });

  test('many who need the keys at once share one read', async () => {
    const { keys } = replica();
    await Promise.all(Array.from({ length: 20 }, () => keys.active()));
    expect(reads).toBe(1);
  });
});
