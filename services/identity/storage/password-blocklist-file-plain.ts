import { hash as digest } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { accepted, type Parsed, rejected } from '../domain/parsed.ts';

/** Some 1.7 million passwords, read in 3 s. */
const MAX_BYTES = 16 * 1024 * 1024;
/** No password that may be chosen is shorter. */
const MIN_CHARACTERS = 8;

/**
 * Passwords of a plain list, kept as 64 bits of their SHA-256 each: 8 bytes a password, where a set of a million texts
 * takes 60 MB. A password that is not listed is taken for one that is once in 10^13 checks.
 */
export class PlainPasswords {
  readonly #sorted: BigUint64Array;

  constructor(passwords: readonly string[]) {
    this.#sorted = BigUint64Array.from(passwords, fingerprint).sort();
  }

  /** Whether a password is listed, in any case of letters. */
  has(password: string): boolean {
    const wanted = fingerprint(password);
    let low = 0;
    let high = this.#sorted.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#sorted[middle] ?? 0n;
      if (found === wanted) return true;
      if (found < wanted) low = middle + 1;
      else high = middle - 1;
    }
    return false;
  }
}

/** Reads a list of passwords, one a line, or tells what is wrong with it. */
export async function readPlainPasswords(file: FileHandle, size: number): Promise<Parsed<PlainPasswords>> {
  if (size > MAX_BYTES) {
    return rejected(
      `has more than ${MAX_BYTES} bytes: a list as large must hold sorted SHA-1 digests in hexadecimal`,
    );
  }
  const bytes = await file.readFile();
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return rejected('is not UTF-8');
  }
  if (text.includes('\0')) return rejected('is not a text');
  const lines = text.split(/\r?\n/);
  // NTLM digests, which have a list of their own, or digests of something else: none would ever match.
  if (/^[0-9a-f]{32,}(:\d+)?$/i.test(lines[0] ?? '')) return rejected('holds digests that are not SHA-1');
  const passwords = lines.filter(({ length }) => length >= MIN_CHARACTERS);
  if (passwords.length === 0) return rejected(`holds no password of ${MIN_CHARACTERS} characters or more`);
  return accepted(new PlainPasswords(passwords));
}

function fingerprint(password: string): bigint {
  return digest('sha256', password.normalize('NFC').toLowerCase(), 'buffer').readBigUInt64BE();
}
