import { createHash, randomBytes } from 'node:crypto';
import type { Device } from './device.ts';

/** The part of a security event that tells about a person. */
export type PersonalPart = Pick<Device, 'id' | 'fingerprint' | 'ipAddress' | 'userAgent'>;

/** Keeps the digest apart from any other use of the hash; its number changes with the encoding. */
const DOMAIN = 'optix security event personal part 1\0';
const SALT_BYTES = 32;
const ABSENT = Buffer.from([0]);

/** As many random bytes as the hash is long: an address can't be found by trying all without them. */
export function newPersonalSalt(): Buffer {
  return randomBytes(SALT_BYTES);
}

/**
 * What stands for the personal part of a security event in any hash over the event, and goes on doing so when that part
 * and the salt are erased: SHA-256 over
 *
 * - the ASCII text `optix security event personal part 1` and a zero byte,
 * - the salt, 32 bytes,
 * - id, fingerprint, IP address and user agent, in this order: each a zero byte where it is unknown; else a byte of one,
 *   its length in bytes (32 bits, big-endian) and its UTF-8. Addresses in the spelling of parseIpAddress (RFC 5952).
 *
 * No two parts have the same encoding, as every text says how long it is.
 */
export function personalDigest(salt: Buffer, part: PersonalPart): Buffer {
  const hash = createHash('sha256').update(DOMAIN).update(salt);
  for (const text of [part.id, part.fingerprint, part.ipAddress, part.userAgent]) {
    if (text === null) {
      hash.update(ABSENT);
      continue;
    }
    const bytes = Buffer.from(text);
    const head = Buffer.alloc(5, 1);
    head.writeUInt32BE(bytes.length, 1);
    hash.update(head).update(bytes);
  }
  return hash.digest();
}
