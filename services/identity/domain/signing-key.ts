import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { SecretUnreadable } from './errors.ts';
import type { SealedSecret, SecretBox } from './secret-box.ts';

/** A public key as JWKS gives it (RFC 7517 section 4, RFC 8037 section 2). */
export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}

/** A key that access tokens are signed with or were signed with. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: PublicJwk;
}

/** A signing key as it is stored: the private part sealed. */
export interface StoredSigningKey {
  readonly kid: string;
  /** One key at most is active: the one that signs. A retired key still verifies. */
  readonly status: 'active' | 'retired';
  readonly publicJwk: PublicJwk;
  readonly privateKey: SealedSecret;
}

const PURPOSE = 'signing-key';

/** Makes a new Ed25519 key (RFC 8032), active, its private part sealed for storage. */
export async function generateSigningKey(secretBox: SecretBox): Promise<StoredSigningKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicJwk = await publicJwkOf(createPublicKey(privateKey));
  const encoded = privateKey.export({ type: 'pkcs8', format: 'der' });
  const { kid } = publicJwk;
  return {
    kid,
    status: 'active',
    publicJwk,
    privateKey: secretBox.seal(encoded, { purpose: PURPOSE, owner: kid }),
  };
}

/**
 * Opens a stored key. The public key is derived from the private one, never taken from the row: who can write to the
 * table but has not the secret box's key can add no key that tokens are believed by.
 *
 * @throws SecretUnreadable where the private part does not open, or does not belong to the row's public part.
 */
export async function openSigningKey(stored: StoredSigningKey, secretBox: SecretBox): Promise<SigningKey> {
  const encoded = secretBox.open(stored.privateKey, { purpose: PURPOSE, owner: stored.kid });
  const privateKey = createPrivateKey({ key: encoded, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey);
  const publicJwk = await publicJwkOf(publicKey);
  if (publicJwk.kid !== stored.kid || publicJwk.x !== stored.publicJwk.x) {
    throw new SecretUnreadable('its public part belongs to another key');
  }
  return { kid: stored.kid, privateKey, publicKey, publicJwk };
}

async function publicJwkOf(publicKey: KeyObject): Promise<PublicJwk> {
  const { x } = publicKey.export({ format: 'jwk' });
  if (x === undefined) throw new TypeError('not an Ed25519 key');
  const required = { kty: 'OKP', crv: 'Ed25519', x } as const;
  const kid = await calculateJwkThumbprint(required, 'sha256');
  return { ...required, kid, alg: 'EdDSA', use: 'sig' };
}
