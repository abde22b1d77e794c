import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';

/** A public key for signatures. What else a key may carry (RFC 7517 section 4) passes. */
export const publicJwkSchema = z
  .looseObject({ kty: z.enum(['OKP', 'EC', 'RSA'], { error: 'must be OKP, EC or RSA: a public key' }) })
  .refine((jwk) => !('d' in jwk), { error: 'is a private key' })
  .refine(isSound, { error: 'is no public key, or an RSA key of fewer than 2048 bits' });

/** RFC 7518 section 3.3: fewer than 2048 bits are none. */
function isSound(jwk: object): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey({
      key: jwk as JsonWebKey,
      format: 'jwk',
    });
    return asymmetricKeyType !== 'rsa' || (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048;
  } catch {
    return false;
  }
}

/** The most keys of a set. */
const MAX_KEYS = 100;

/**
 * Reads a JSON Web Key Set (RFC 7517 section 5). Keys of a kind that is unknown are left out, as the RFC asks.
 *
 * @throws Error whose message completes the sentence "the key set …" and repeats no key
 */
export function readJwks(text: string): JSONWebKeySet {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Error('is not JSON');
  }
  const keys = (data as { readonly keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) throw new Error('has no list "keys"');
  if (keys.length > MAX_KEYS) throw new Error(`has more than ${MAX_KEYS} keys`);
  const usable = keys.filter((key) => publicJwkSchema.safeParse(key).success);
  if (usable.length === 0) throw new Error('has no usable public key of the types OKP, EC or RSA');
  return { keys: usable };
}
