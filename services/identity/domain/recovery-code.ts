import { createHash, randomBytes } from 'node:crypto';
import { base32 } from './base32.ts';
import { accepted, type Parsed, rejected } from './parsed.ts';
import type { Uuid } from './uuid.ts';

/** 24 characters of Crockford's base32 in four groups: `ABCDEF-GHJKMN-...`. Made in this file only. */
export type RecoveryCode = string & { readonly __brand: 'RecoveryCode' };

/** A recovery code for its owner, and what is stored of it. */
export interface NewRecoveryCode {
  /** Shown once, kept nowhere. */
  readonly code: RecoveryCode;
  /** See {@link hashRecoveryCode}. */
  readonly hash: Buffer;
}

const RECOVERY_CODE_COUNT = 10;

/**
 * 120 bits. From 112 on, a look-up secret may be stored by an approved hash alone; below it, only salted and by a slow
 * password hash (NIST SP 800-63B-4 section 3.1.2.2).
 */
const RANDOM_BYTES = 15;
/** Crockford's base32: no I, L, O, which are taken for digits, and no U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const GROUP = /.{6}(?=.)/g;
const FORM = /^[0-9A-HJKMNP-TV-Z]{24}$/;
/** The code with a space or hyphen after each character, and more. */
const MAX_TYPED_LENGTH = 64;
/** Keeps the hash apart from any other use of SHA-256; its number changes with the encoding. */
const DOMAIN = 'optix recovery code 1\0';

/** Makes a set of {@link RECOVERY_CODE_COUNT} codes for a user. */
export function createRecoveryCodes(userId: Uuid): NewRecoveryCode[] {
  return Array.from({ length: RECOVERY_CODE_COUNT }, () => {
    const code = grouped(base32(randomBytes(RANDOM_BYTES), ALPHABET));
    return { code, hash: hashRecoveryCode(userId, code) };
  });
}

/**
 * Reads a code as people type it: in any case, with or without spaces and hyphens, `O` for zero and `I` or `L` for one.
 */
export function parseRecoveryCode(text: string): Parsed<RecoveryCode> {
  if (text.length > MAX_TYPED_LENGTH) return rejected(`must have at most ${MAX_TYPED_LENGTH} characters`);
  const code = text
    .replace(/[ -]/g, '')
    // ASCII letters only: upper case of others can be ASCII.
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  if (!FORM.test(code)) return rejected('must be a recovery code: 24 letters and digits');
  return accepted(grouped(code));
}

/**
 * What a code is stored as and looked up by, 32 bytes: SHA-256 over the ASCII text `optix recovery code 1` and a zero
 * byte, the user's id and the code, both as text. With the id in it, a row that is copied to another user is of no use.
 */
export function hashRecoveryCode(userId: Uuid, code: RecoveryCode): Buffer {
  return createHash('sha256').update(DOMAIN).update(userId).update(code).digest();
}

function grouped(characters: string): RecoveryCode {
  return characters.replace(GROUP, '$&-') as RecoveryCode;
}
