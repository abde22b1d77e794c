import type { Parsed } from '../parsed.ts';

/** A stored password hash that was understood, and is cheap enough to check passwords against. */
export interface StoredHash {
  readonly algorithm: 'argon2id' | 'argon2i' | 'argon2d' | 'bcrypt' | 'scrypt' | 'pbkdf2';
  /** Algorithm and parameters, without salt and tag: hashes with the same text take equally long to check. */
  readonly cost: string;
  /** Whether the hash was made from `password`, byte by byte as UTF-8. Compared in constant time. */
  readonly verify: (password: string) => Promise<boolean>;
}

/**
 * Reads the hashes of one kind. Null where the text is of another kind; otherwise the hash, or what is wrong with it,
 * without repeating it.
 */
export type ParseStoredHash = (text: string) => Parsed<StoredHash> | null;
