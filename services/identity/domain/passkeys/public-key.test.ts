import { generateKeyPairSync } from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';
import { describe, expect, it } from 'vitest';
import { readPublicKey } from './public-key.ts';
import { recordedPasskeys, relyingParty } from './recorded-passkeys.ts';
import { verifyRegistration } from './registration.ts';

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
const x = bytes(ec.x);
const y = bytes(ec.y);

function bytes(text = ''): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64url'));
}

function cose(...labels: [number, number | Uint8Array][]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(isoCBOR.encode(new Map(labels)));
}

function rsa(modulusLength: number): Uint8Array<ArrayBuffer> {
  const { n, e } = generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' });
  return cose([1, 3], [3, -257], [-1, bytes(n)], [-2, bytes(e)]);
}

describe('the key of a passkey', () => {
  it.each(recordedPasskeys)('is read: $name', async ({ name, registration }) => {
    const { publicKey } = await verifyRegistration({
      relyingParty,
      ...registration,
      requireUserVerification: true,
    });
    const kinds: Record<string, string> = { ES256: 'ec', EdDSA: 'ed25519', RS256: 'rsa' };
    const key = readPublicKey(Uint8Array.from(publicKey));
    expect(key.asymmetricKeyType).toBe(kinds[name]);
    // The browser gives the same key in another form.
    expect(key.export({ format: 'der', type: 'spki' }).toString('base64url')).toBe(
      registration.response.response.publicKey,
    );
  });

  it.each([
    ['cut short', cose([1, 2], [3, -7], [-1, 1], [-2, x], [-3, y.slice(1)])],
    ['no point of the curve', cose([1, 2], [3, -7], [-1, 1], [-2, x], [-3, x])],
    ['without a coordinate', cose([1, 2], [3, -7], [-1, 1], [-2, x])],
    ['of another curve', cose([1, 2], [3, -7], [-1, 2], [-2, x], [-3, y])],
    ['of another algorithm', cose([1, 2], [3, -8], [-1, 1], [-2, x], [-3, y])],
    ['a short Ed25519 key', cose([1, 1], [3, -8], [-1, 6], [-2, x.slice(1)])],
    ['a weak RSA key', rsa(1024)],
    ['no map', Uint8Array.from(isoCBOR.encode([1, 2]))],
    ['nothing', new Uint8Array()],
  ])('is refused: %s', (_what, key) => {
    expect(() => readPublicKey(key)).toThrow();
  });

  it('is read where RSA is strong enough', () => {
    expect(readPublicKey(rsa(2048)).asymmetricKeyDetails?.modulusLength).toBe(2048);
  });
});
