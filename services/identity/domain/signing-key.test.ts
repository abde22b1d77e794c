import { createPrivateKey, generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto';
import { CompactSign, compactVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { SecretUnreadable } from './errors.ts';
import { SecretBox } from './secret-box.ts';
import { generateSigningKey, openSigningKey, type PublicJwk } from './signing-key.ts';

const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });
const AT = new Date('2026-01-01T00:00:00Z');

/** A key as it would be stored, made from a private JWK. */
function store({ d: _, ...publicPart }: JsonWebKey & { d: string }, kid: string) {
  const privateKey = createPrivateKey({ key: { ...publicPart, d: _ }, format: 'jwk' });
  const encoded = privateKey.export({ type: 'pkcs8', format: 'der' });
  return {
    kid,
    publicJwk: { ...publicPart, kid } as unknown as PublicJwk,
    privateKey: secretBox.seal(encoded, { purpose: 'signing-key', owner: kid }),
  };
}

describe('RFC 8037, appendix A: Ed25519', () => {
  const JWK = {
    ...{ kty: 'OKP', crv: 'Ed25519' },
    d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
    x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  };
  const THUMBPRINT = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';
  const JWS =
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';

  test('public key, key id, signature and its verification', async () => {
    const key = await openSigningKey(store(JWK, THUMBPRINT), secretBox);
    const { kty, crv, x } = JWK;
    expect(key.publicJwk).toEqual({ kty, crv, x, kid: THUMBPRINT, alg: 'EdDSA', use: 'sig' });
    expect(key.algorithm).toBe('EdDSA');
    const signed = await new CompactSign(Buffer.from('Example of Ed25519 signing'))
      .setProtectedHeader({ alg: key.algorithm })
      .sign(key.privateKey);
    expect(signed).toBe(JWS);
    expect(Buffer.from((await compactVerify(JWS, key.publicKey)).payload).toString()).toBe(
      'Example of Ed25519 signing',
    );
  });

  test('a key id that is not the thumbprint is refused', async () => {
    await expect(openSigningKey(store(JWK, 'mine'), secretBox)).rejects.toThrow(SecretUnreadable);
  });
});

test('RFC 7515, appendix A.3: an ES256 signature verifies with its key', async () => {
  const jwk = {
    ...{ kty: 'EC', crv: 'P-256' },
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
  };
  const jws =
    'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q';
  const kid = 'oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U';
  const key = await openSigningKey(store(jwk, kid), secretBox);
  const { d: _, ...publicPart } = jwk;
  expect(key.publicJwk).toEqual({ ...publicPart, kid, alg: 'ES256', use: 'sig' });
  const { payload, protectedHeader } = await compactVerify(jws, key.publicKey);
  expect(protectedHeader).toEqual({ alg: 'ES256' });
  expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ iss: 'joe', exp: 1_300_819_380 });
});

test.each(['EdDSA', 'ES256'] as const)('a new %s key opens, and is told by what it is', async (algorithm) => {
  const stored = await generateSigningKey(secretBox, { algorithm, status: 'next', at: AT });
  expect(stored).toMatchObject({
    algorithm,
    status: 'next',
    createdAt: AT,
    activatedAt: null,
    retiredAt: null,
  });
  // What the row says of the algorithm is not what counts.
  const lied = { ...stored, algorithm: algorithm === 'EdDSA' ? 'ES256' : 'EdDSA' } as const;
  expect(await openSigningKey(lied, secretBox)).toMatchObject({ algorithm, publicJwk: stored.publicJwk });
});

test.each(['P-384', 'P-521'])('a key on %s is none', async (namedCurve) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  const jwk = privateKey.export({ format: 'jwk' }) as JsonWebKey & { d: string };
  await expect(openSigningKey(store(jwk, 'k'), secretBox)).rejects.toThrow(TypeError);
});
