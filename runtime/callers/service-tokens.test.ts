import { createHmac, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { exportJWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import type { Caller } from './caller.ts';
import { FixedKeySet } from './key-set.ts';
import { ServiceTokens } from './service-tokens.ts';

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'optix-ratelimit';
const gateway: Caller = { name: 'gateway', scopes: new Set(['limits.check']), credential: 'service_token' };

const KEYS = {
  EdDSA: generateKeyPairSync('ed25519'),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
const stranger = generateKeyPairSync('ed25519');
const jwks = {
  keys: await Promise.all(
    Object.entries(KEYS).map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid })),
  ),
};

function newTokens(): ServiceTokens {
  const subjects = new Map([['gateway', gateway]]);
  return new ServiceTokens([
    { issuer: ISSUER, audience: AUDIENCE, keys: new FixedKeySet(jwks), subjects },
    { issuer: 'https://other.example', audience: AUDIENCE, keys: new FixedKeySet(jwks), subjects: new Map() },
  ]);
}

const now = () => Math.floor(Date.now() / 1000);
const claims = (): JWTPayload => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'gateway',
  iat: now(),
  exp: now() + 300,
});

async function token(
  payload: JWTPayload = claims(),
  header: JWTHeaderParameters = { alg: 'EdDSA', kid: 'EdDSA' },
  key: KeyObject = KEYS.EdDSA.privateKey,
): Promise<string> {
  return await new SignJWT(payload).setProtectedHeader(header).sign(key);
}

/** A token that no library would make. */
function forged(header: object, payload: object, sign: (input: string) => string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${sign(input)}`;
}

async function callerBy(text: string, tokens = newTokens()): Promise<Caller | undefined> {
  return await tokens.authenticate(text, hash('sha256', text, 'hex'));
}

describe('a good service token', () => {
  it.each([
    ['EdDSA', 'EdDSA'],
    ['ES256', 'ES256'],
    ['RS256', 'RS256'],
    ['PS256', 'RS256'],
  ] as const)('signed by %s makes its subject known', async (alg, kid) => {
    expect(await callerBy(await token(claims(), { alg, kid }, KEYS[kid].privateKey))).toBe(gateway);
  });

  it('may be meant for others besides', async () => {
    expect(await callerBy(await token({ ...claims(), aud: ['x', AUDIENCE] }))).toBe(gateway);
  });

  it('is checked once, then known at once until it ends', async () => {
    const tokens = newTokens();
    const text = await token({ ...claims(), exp: now() + 1 });
    const first = tokens.authenticate(text, 'digest');
    expect(first).toBeInstanceOf(Promise);
    // Whoever comes meanwhile shares the check.
    expect(tokens.authenticate(text, 'digest')).toBe(first);
    await first;
    expect(tokens.authenticate(text, 'digest')).toBe(gateway);
    await expect.poll(() => tokens.authenticate(text, 'digest'), { timeout: 3000 }).not.toBe(gateway);
  });
});

describe('a service token is refused', () => {
  it.each<[string, () => JWTPayload]>([
    ['of another issuer', () => ({ iss: 'https://evil.example' })],
    [
      "of an issuer that has not this subject, with that issuer's own key",
      () => ({ iss: 'https://other.example' }),
    ],
    ['without an issuer', () => ({ iss: undefined as never })],
    ['for another audience', () => ({ aud: 'optix-identity' })],
    ['without an audience', () => ({ aud: undefined as never })],
    ['of an unknown subject', () => ({ sub: 'nobody' })],
    ['without a subject', () => ({ sub: undefined as never })],
    ['that has ended', () => ({ iat: now() - 200, exp: now() - 100 })],
    ['without an end', () => ({ exp: undefined as never })],
    ['without a beginning', () => ({ iat: undefined as never })],
    ['made for more than an hour', () => ({ exp: now() + 3601 })],
    ['made for an hour that is over', () => ({ iat: now() - 3700, exp: now() + 300 })],
    ['of the future', () => ({ iat: now() + 120, exp: now() + 300 })],
    ['that does not hold yet', () => ({ nbf: now() + 120 })],
  ])('%s', async (_, change) => {
    expect(await callerBy(await token({ ...claims(), ...change() }))).toBeUndefined();
  });

  it.each([[''], ['x'], ['a.b'], ['a.b.c'], ['..']])('that is none: %s', async (text) => {
    expect(await callerBy(text)).toBeUndefined();
  });

  it('that is longer than any header should be', async () => {
    expect(await callerBy(await token({ ...claims(), padding: 'x'.repeat(8192) }))).toBeUndefined();
  });

  it.each(['none', 'None', 'NONE', ''])(
    'without a signature, alg "%s" (RFC 8725 section 2.1)',
    async (alg) => {
      expect(await callerBy(forged({ alg }, claims(), () => ''))).toBeUndefined();
      expect(await callerBy(forged({ alg, kid: 'EdDSA' }, claims(), () => 'AA'))).toBeUndefined();
    },
  );

  it('signed by HMAC with a public key as the secret (RFC 8725 section 2.1)', async () => {
    const { publicKey } = KEYS.RS256;
    const secrets = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'spki', format: 'der' }),
      Buffer.from(String(jwks.keys[0]?.x), 'base64url'),
    ];
    for (const secret of secrets) {
      const sign = (input: string) => createHmac('sha256', secret).update(input).digest('base64url');
      expect(await callerBy(forged({ alg: 'HS256', kid: 'RS256' }, claims(), sign))).toBeUndefined();
    }
  });

  it('by the key of a stranger, whatever its header says of it', async () => {
    const jwk = await exportJWK(stranger.publicKey);
    const headers: JWTHeaderParameters[] = [
      { alg: 'EdDSA', kid: 'EdDSA' },
      { alg: 'EdDSA' },
      { alg: 'EdDSA', jwk },
      { alg: 'EdDSA', kid: 'evil', jwk: { ...jwk, kid: 'evil' } },
      { alg: 'EdDSA', jku: 'http://127.0.0.1:1/jwks.json' },
      { alg: 'EdDSA', x5u: 'http://127.0.0.1:1/cert.pem' },
    ];
    for (const header of headers) {
      expect(await callerBy(await token(claims(), header, stranger.privateKey))).toBeUndefined();
    }
  });

  it.each(['../../../dev/null', "' or 1=1 --", '', '__proto__', 'RS256'])(
    'with the key id %s for another key (RFC 8725 section 3.10)',
    async (kid) => {
      expect(await callerBy(await token(claims(), { alg: 'EdDSA', kid }))).toBeUndefined();
    },
  );

  it('with a critical header that nobody knows (RFC 7515 section 4.1.11)', async () => {
    const sign = async () =>
      await new SignJWT(claims())
        .setProtectedHeader({ alg: 'EdDSA', kid: 'EdDSA', crit: ['x'], x: 1 })
        .sign(KEYS.EdDSA.privateKey, { crit: { x: true } });
    expect(await callerBy(await sign())).toBeUndefined();
  });

  it('by an algorithm that is asymmetric, but not one of those', async () => {
    const { privateKey } = KEYS.RS256;
    expect(await callerBy(await token(claims(), { alg: 'RS512', kid: 'RS256' }, privateKey))).toBeUndefined();
  });

  it('changed by one character, also after the good one was seen', async () => {
    const tokens = newTokens();
    const good = await token();
    expect(await callerBy(good, tokens)).toBe(gateway);
    const [header, payload = '', signature = ''] = good.split('.');
    const other = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
    expect(await callerBy([header, payload, other(signature)].join('.'), tokens)).toBeUndefined();
    const admin = Buffer.from(JSON.stringify({ ...claims(), sub: 'admin' })).toString('base64url');
    expect(await callerBy([header, admin, signature].join('.'), tokens)).toBeUndefined();
  });

  it('by a key that Node can not import, since the set gives it other uses besides', async () => {
    const key = { ...(await exportJWK(KEYS.EdDSA.publicKey)), kid: 'EdDSA' };
    const callerOf = async (uses: string[]) => {
      const keys = new FixedKeySet({ keys: [{ ...key, key_ops: uses }] });
      const subjects = new Map([['gateway', gateway]]);
      return await callerBy(
        await token(),
        new ServiceTokens([{ issuer: ISSUER, audience: AUDIENCE, keys, subjects }]),
      );
    };
    expect(await callerOf(['verify'])).toBe(gateway);
    expect(await callerOf(['verify', 'encrypt'])).toBeUndefined();
  });
});
