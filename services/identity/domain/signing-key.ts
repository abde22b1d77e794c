import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { SecretUnreadable } from './errors.ts';
import type { SealedSecret, SecretBox } from './secret-box.ts';

/** What access tokens can be signed with: Ed25519 (RFC 8037), or ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4). */
export const SIGNING_ALGORITHMS = ['EdDSA', 'ES256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/**
 * What a key is for. One key at most is `active`: the one that signs. The `next` one is published, so that verifiers know
 * it before it signs. A `retired` one verifies what it signed.
 */
export type SigningKeyStatus = 'next' | 'active' | 'retired';

/** A public key as JWKS gives it (RFC 7517 section 4; RFC 8037 section 2; RFC 7518 section 6.2.1). */
export type PublicJwk = { readonly kid: string; readonly use: 'sig'; readonly x: string } & (
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly alg: 'EdDSA' }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly alg: 'ES256'; readonly y: string }
);

/** A key that access tokens are signed with, were signed with or will be. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  /** The one algorithm that the key is used with. */
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: PublicJwk;
}

/** What is told of a signing key. */
export interface SigningKeyFacts {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly status: SigningKeyStatus;
  readonly createdAt: Date;
  /** Since when it signs; null of the next key. */
  readonly activatedAt: Date | null;
  /** Since when it signs no more; null before. */
  readonly retiredAt: Date | null;
}

/** A signing key as it is stored: the private part sealed. */
export interface StoredSigningKey extends SigningKeyFacts {
  readonly publicJwk: PublicJwk;
  readonly privateKey: SealedSecret;
}

/** A key that is about to be stored: the next one, or one that signs at once. */
export interface NewSigningKey {
  readonly algorithm: SigningAlgorithm;
  readonly status: 'next' | 'active';
  readonly at: Date;
}

const PURPOSE = 'signing-key';

/** Makes a key, its private part sealed for storage. */
export async function generateSigningKey(
  secretBox: SecretBox,
  { algorithm, status, at }: NewSigningKey,
): Promise<StoredSigningKey> {
  const { privateKey } =
    algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicJwk = await publicJwkOf(createPublicKey(privateKey));
  const encoded = privateKey.export({ type: 'pkcs8', format: 'der' });
  const { kid } = publicJwk;
  return {
    kid,
    algorithm,
    status,
    createdAt: at,
    activatedAt: status === 'active' ? at : null,
    retiredAt: null,
    publicJwk,
    privateKey: secretBox.seal(encoded, { purpose: PURPOSE, owner: kid }),
  };
}

/**
 * Opens a stored key. The public key and the algorithm are derived from the private key, never taken from the row: who
 * can write to the table but has not the secret box's key can add no key that tokens are believed by.
 *
 * @throws SecretUnreadable where the private part does not open, or does not belong to the row's public part.
 */
export async function openSigningKey(
  stored: Pick<StoredSigningKey, 'kid' | 'publicJwk' | 'privateKey'>,
  secretBox: SecretBox,
): Promise<SigningKey> {
  const encoded = secretBox.open(stored.privateKey, { purpose: PURPOSE, owner: stored.kid });
  const privateKey = createPrivateKey({ key: encoded, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey);
  const publicJwk = await publicJwkOf(publicKey);
  if (publicJwk.kid !== stored.kid || publicJwk.x !== stored.publicJwk.x) {
    throw new SecretUnreadable('its public part belongs to another key');
  }
  return { kid: stored.kid, algorithm: publicJwk.alg, privateKey, publicKey, publicJwk };
}

async function publicJwkOf(publicKey: KeyObject): Promise<PublicJwk> {
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  if (kty === 'OKP' && crv === 'Ed25519' && x !== undefined) {
    const required = { kty, crv, x } as const;
    return { ...required, kid: await calculateJwkThumbprint(required, 'sha256'), alg: 'EdDSA', use: 'sig' };
  }
  if (kty === 'EC' && crv === 'P-256' && x !== undefined && y !== undefined) {
    const required = { kty, crv, x, y } as const;
    return { ...required, kid: await calculateJwkThumbprint(required, 'sha256'), alg: 'ES256', use: 'sig' };
  }
  throw new TypeError('neither an Ed25519 nor a P-256 key');
}
