import { z } from 'zod';
import { PasskeyRefused } from './errors.ts';

/** Several times what authenticators send; certificates of attestation are the longest part of it. */
const MAX_CHARACTERS = 65_536;
/** WebAuthn section 7.1: no registration may bring a longer one. */
const MAX_CREDENTIAL_ID_BYTES = 1023;

/** From 1 to `maxBytes` bytes in base64url without padding (RFC 4648 section 5). */
export function base64url(maxBytes: number) {
  return (
    z
      .string()
      .min(1)
      .max(Math.ceil((maxBytes * 4) / 3))
      .regex(/^[A-Za-z0-9_-]+$/)
      // One character beyond whole groups of four is less than a byte; alone it would be read as none.
      .refine((text) => text.length % 4 !== 1)
  );
}

export const credentialIdJson = base64url(MAX_CREDENTIAL_ID_BYTES);
/** The challenge and the origin, and what browsers add; some of it only to see whether servers mind. */
export const clientDataJson = base64url(4096);

/**
 * Parses what `PublicKeyCredential.toJSON()` made, at most 65,536 characters.
 *
 * @throws PasskeyRefused `malformed`.
 */
export function parseResponse(json: string): unknown {
  if (json.length > MAX_CHARACTERS) throw new PasskeyRefused('malformed');
  try {
    return JSON.parse(json);
  } catch {
    // The error would quote the text.
    throw new PasskeyRefused('malformed');
  }
}

/** @throws PasskeyRefused `malformed`. */
export function shaped<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new PasskeyRefused('malformed');
  return result.data;
}
