import { scrypt, timingSafeEqual } from 'node:crypto';
import { accepted, type Parsed, rejected } from '../parsed.ts';
import type { StoredHash } from './stored-hash.ts';
import { fits, parseUnpaddedBase64 } from './unpadded-base64.ts';

/** 128 r (N + p) bytes of memory at most: N=2^17 with r=8, OWASP's first choice, takes half of it. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
/** 128 N r p, the bytes that the processor fills: some 2 s. */
const MAX_WORK_BYTES = 2 * MAX_MEMORY_BYTES;
const SALT_BYTES = { min: 4, max: 64 };
const TAG_BYTES = { min: 16, max: 64 };

const FORM =
  /^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d{0,3}),p=([1-9]\d{0,3})\$([A-Za-z0-9+/]{1,88})\$([A-Za-z0-9+/]{1,88})$/;

/**
 * Reads scrypt (RFC 7914) in PHC string format, as passlib and others write it: `$scrypt$ln=16,r=8,p=1$<salt>$<hash>`,
 * where N is 2^ln. Null where it is another format.
 */
export function parseScrypt(text: string): Parsed<StoredHash> | null {
  if (!text.startsWith('$scrypt$')) return null;
  const match = FORM.exec(text);
  const salt = parseUnpaddedBase64(match?.[4] ?? '');
  const tag = parseUnpaddedBase64(match?.[5] ?? '');
  if (match === null || !fits(salt, SALT_BYTES) || !fits(tag, TAG_BYTES)) {
    return rejected(
      `must be $scrypt$ln=<log2 N>,r=<r>,p=<p>$<salt>$<hash> with a salt of ${SALT_BYTES.min} to ${SALT_BYTES.max} bytes and a hash of ${TAG_BYTES.min} to ${TAG_BYTES.max}, in base64 without padding`,
    );
  }
  const [ln = 0, r = 0, p = 0] = match.slice(1, 4).map(Number);
  const n = 2 ** ln;
  if (128 * r * (n + p) > MAX_MEMORY_BYTES || 128 * n * r * p > MAX_WORK_BYTES) {
    return rejected(
      'must have scrypt parameters of at most 256 MiB, which is 128 r (N + p), and of at most 512 MiB for 128 N r p',
    );
  }
  // RFC 7914 section 6: N must be less than 2^(128 r / 8).
  if (ln >= 16 * r) return rejected('must have scrypt parameters with ln less than 16 r');
  const parameters = { N: n, r, p, maxmem: 2 * MAX_MEMORY_BYTES };
  return accepted({
    algorithm: 'scrypt',
    cost: `scrypt ln=${ln} r=${r} p=${p}`,
    verify: (password) =>
      new Promise((resolve, reject) => {
        scrypt(Buffer.from(password, 'utf8'), salt, tag.length, parameters, (error, made) =>
          error === null ? resolve(timingSafeEqual(made, tag)) : reject(error),
        );
      }),
  });
}
