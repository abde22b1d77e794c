import { type Parsed, rejected } from '../parsed.ts';
import { parseArgon2 } from './argon2.ts';
import { parseBcrypt } from './bcrypt.ts';
import { parsePbkdf2 } from './pbkdf2.ts';
import { parseScrypt } from './scrypt.ts';
import type { ParseStoredHash, StoredHash } from './stored-hash.ts';

/** Every kind of hash that can be stored and imported. */
const KINDS: readonly ParseStoredHash[] = [parseArgon2, parseBcrypt, parseScrypt, parsePbkdf2];

/** Longer than any hash of the kinds can be. */
const MAX_CHARACTERS = 512;

/**
 * Reads a stored or imported password hash of any known kind. What is wrong is told without repeating the hash: of an
 * unknown kind, malformed, or of a cost that this process is not willing to pay.
 */
export function parsePasswordHash(text: string): Parsed<StoredHash> {
  if (text.length > MAX_CHARACTERS) return rejected(`must have at most ${MAX_CHARACTERS} characters`);
  for (const parse of KINDS) {
    const parsed = parse(text);
    if (parsed !== null) return parsed;
  }
  return rejected(
    'must be a hash of a known kind: argon2id, argon2i, argon2d, scrypt or PBKDF2 in PHC string format, bcrypt, or PBKDF2 as passlib or Django write it',
  );
}
