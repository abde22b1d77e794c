import { pbkdf2, timingSafeEqual } from 'node:crypto';
import { accepted, type Parsed, rejected } from '../parsed.ts';
import type { StoredHash } from './stored-hash.ts';
import { fits, parseUnpaddedBase64 } from './unpadded-base64.ts';

/** Output of each hash function in bytes (FIPS 180-4). */
const DIGEST_BYTES = { sha1: 20, sha256: 32, sha512: 64 };
type Digest = keyof typeof DIGEST_BYTES;

/** Three times what OWASP asks of SHA-256: some 0.5 s. Every further block of output costs all iterations again. */
const MAX_ITERATIONS = 2_000_000;
const SALT_BYTES = { min: 4, max: 64 };
const TAG_BYTES = { min: 16, max: 64 };

const PHC =
  /^\$pbkdf2-(sha1|sha256|sha512)\$i=([1-9]\d{0,9})(?:,l=(\d{1,3}))?\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
/** passlib writes SHA-1 without its name, and base64 with a dot for the plus. */
const PASSLIB = /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$([1-9]\d{0,9})\$([A-Za-z0-9./]+)\$([A-Za-z0-9./]+)$/;
/** Django's salt is text as it stands. */
const DJANGO = /^pbkdf2_(sha1|sha256)\$([1-9]\d{0,9})\$([\x21-\x23\x25-\x7e]+)\$([A-Za-z0-9+/]+={0,2})$/;

interface Parts {
  readonly digest: Digest;
  readonly iterations: number;
  readonly salt: Buffer | null;
  readonly tag: Buffer | null;
}

/**
 * Reads PBKDF2 (RFC 8018 section 5.2) with SHA-1, SHA-256 or SHA-512: PHC string format
 * (`$pbkdf2-sha256$i=600000$<salt>$<hash>`), passlib's (`$pbkdf2-sha256$29000$<salt>$<hash>`) and Django's
 * (`pbkdf2_sha256$600000$<salt>$<hash>`). Null where it is another format.
 */
export function parsePbkdf2(text: string): Parsed<StoredHash> | null {
  if (!/^\$pbkdf2[-$]|^pbkdf2_/.test(text)) return null;
  const parts = phcParts(text) ?? passlibParts(text) ?? djangoParts(text);
  if (parts === null || !fits(parts.salt, SALT_BYTES) || !fits(parts.tag, TAG_BYTES)) {
    return rejected(
      `must be PBKDF2 with SHA-1, SHA-256 or SHA-512 as $pbkdf2-sha256$i=<iterations>$<salt>$<hash>, or in passlib's or Django's form, with a salt of ${SALT_BYTES.min} to ${SALT_BYTES.max} bytes and a hash of ${TAG_BYTES.min} to ${TAG_BYTES.max}`,
    );
  }
  const { digest, iterations, salt, tag } = parts;
  const blocks = Math.ceil(tag.length / DIGEST_BYTES[digest]);
  if (iterations * blocks > MAX_ITERATIONS) {
    return rejected(`must have at most ${MAX_ITERATIONS} PBKDF2 iterations, all blocks of the hash together`);
  }
  return accepted({
    algorithm: 'pbkdf2',
    cost: `pbkdf2-${digest} i=${iterations}${blocks > 1 ? ` blocks=${blocks}` : ''}`,
    verify: (password) =>
      new Promise((resolve, reject) => {
        pbkdf2(Buffer.from(password, 'utf8'), salt, iterations, tag.length, digest, (error, made) =>
          error === null ? resolve(timingSafeEqual(made, tag)) : reject(error),
        );
      }),
  });
}

function phcParts(text: string): Parts | null {
  const [, digest, iterations, length, salt = '', tag = ''] = PHC.exec(text) ?? [];
  if (digest === undefined) return null;
  const bytes = parseUnpaddedBase64(tag);
  return {
    digest: digest as Digest,
    iterations: Number(iterations),
    salt: parseUnpaddedBase64(salt),
    tag: length === undefined || Number(length) === bytes?.length ? bytes : null,
  };
}

function passlibParts(text: string): Parts | null {
  const match = PASSLIB.exec(text);
  if (match === null) return null;
  const [, digest = 'sha1', iterations, salt = '', tag = ''] = match;
  const read = (adapted: string) => parseUnpaddedBase64(adapted.replaceAll('.', '+'));
  return { digest: digest as Digest, iterations: Number(iterations), salt: read(salt), tag: read(tag) };
}

function djangoParts(text: string): Parts | null {
  const [, digest, iterations, salt = '', tag = ''] = DJANGO.exec(text) ?? [];
  if (digest === undefined) return null;
  const unpadded = tag.replace(/=+$/, '');
  return {
    digest: digest as Digest,
    iterations: Number(iterations),
    salt: Buffer.from(salt, 'latin1'),
    tag: tag.length % 4 === 0 ? parseUnpaddedBase64(unpadded) : null,
  };
}
