import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { decodeCredentialPublicKey } from '@simplewebauthn/server/helpers';

/** Fewer are too weak, and more take long to verify with. */
const RSA_MODULUS_BYTES = { min: 256, max: 1024 };

/** Labels of a COSE_Key (RFC 9052 section 7.1, RFC 9053 section 7, RFC 8230 section 4). */
const KTY = 1;
const ALG = 3;

/**
 * Reads a COSE_Key for one of the algorithms that passkeys sign with. A key that can't be read would make a passkey
 * that never signs in.
 *
 * @throws Error for a key that is cut short, is no point of its curve, or is not of its algorithm's kind.
 */
export function readPublicKey(cose: Uint8Array<ArrayBuffer>): KeyObject {
  const labels = decodeCredentialPublicKey(cose) as unknown as ReadonlyMap<number, unknown>;
  return createPublicKey({ key: jwkOf(labels), format: 'jwk' });
}

function jwkOf(labels: ReadonlyMap<number, unknown>): JsonWebKey {
  const bytes = (label: number, min: number, max = min): string => {
    const value = labels.get(label);
    if (value instanceof Uint8Array && value.length >= min && value.length <= max) {
      return Buffer.from(value).toString('base64url');
    }
    throw new Error(`the key has no good value for the label ${label}`);
  };
  const kind = [KTY, ALG, -1].map((label) => labels.get(label));
  if (kind.join() === '1,-8,6') return { kty: 'OKP', crv: 'Ed25519', x: bytes(-2, 32) };
  if (kind.join() === '2,-7,1') return { kty: 'EC', crv: 'P-256', x: bytes(-2, 32), y: bytes(-3, 32) };
  if (kind[0] === 3 && kind[1] === -257) {
    return { kty: 'RSA', n: bytes(-1, RSA_MODULUS_BYTES.min, RSA_MODULUS_BYTES.max), e: bytes(-2, 1, 4) };
  }
  throw new Error('the key is not of the kind of its algorithm');
}
