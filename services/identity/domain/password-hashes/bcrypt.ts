import { timingSafeEqual } from 'node:crypto';
import { hash as hashBcrypt } from 'bcrypt';
import { accepted, type Parsed, rejected } from '../parsed.ts';
import type { StoredHash } from './stored-hash.ts';

/** Fewer rounds do not exist; 15 take some 2 s. */
const MIN_ROUNDS = 4;
const MAX_ROUNDS = 15;
/** bcrypt's key is 72 bytes: what goes beyond has no part in the hash. */
const KEY_BYTES = 72;

/** 16 bytes of salt and 23 of hash in bcrypt's own base64; the hash's last character holds four bits only. */
const FORM = /^\$2([aby])\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{30}[.CGKOSWaeimquy26])$/;

/**
 * Reads bcrypt in modular crypt format: `$2a$`, `$2b$` and `$2y$`, 4 to 15 rounds (as powers of two). For a password in
 * UTF-8 of at most 254 bytes the three mean the same; beyond, some old makers of `$2a$` let its length overflow, which
 * is not imitated. Null where it is another format.
 */
export function parseBcrypt(text: string): Parsed<StoredHash> | null {
  if (!/^\$2[a-z]?\$/.test(text)) return null;
  if (/^\$2x?\$/.test(text)) {
    return rejected('must be bcrypt of the versions $2a$, $2b$ or $2y$: $2$ and $2x$ have known flaws');
  }
  const [, version, digits = '', salt = '', digest = ''] = FORM.exec(text) ?? [];
  if (version === undefined) {
    return rejected('must be $2b$<two digits of rounds>$<53 characters> where it is a bcrypt hash');
  }
  const rounds = Number(digits);
  if (rounds < MIN_ROUNDS || rounds > MAX_ROUNDS) {
    return rejected(`must have ${MIN_ROUNDS} to ${MAX_ROUNDS} bcrypt rounds`);
  }
  // `$2b$` whatever it was: the library does not know `$2y$`, and its `$2a$` has the overflow.
  const setting = `$2b$${digits}$${salt}`;
  const expected = Buffer.from(digest, 'latin1');
  return accepted({
    algorithm: 'bcrypt',
    cost: `bcrypt ${rounds}`,
    verify: async (password) => {
      const made = await hashBcrypt(keyOf(password, version), setting);
      // Compared without the salt: its last character has bits that some makers set, and the library clears.
      return timingSafeEqual(Buffer.from(made.slice(-digest.length), 'latin1'), expected);
    },
  });
}

/**
 * The bytes that make the key. `$2y$` comes from crypt(3), which takes a C string and so stops at a NUL; today's makers
 * of the others take all bytes.
 */
function keyOf(password: string, version: string): Buffer {
  const bytes = Buffer.from(password, 'utf8');
  const end = version === 'y' ? bytes.indexOf(0) : -1;
  return bytes.subarray(0, Math.min(KEY_BYTES, end === -1 ? bytes.length : end));
}
