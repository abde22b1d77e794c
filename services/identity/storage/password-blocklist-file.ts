import { hash as digest } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { type PasswordBlocklist, PasswordBlocklistUnreadable } from '../domain/password-blocklist.ts';
import { type ByteSource, SortedHashes } from './password-blocklist-file-hashes.ts';
import { readPlainPasswords } from './password-blocklist-file-plain.ts';

/** The file is missing, or is no list of passwords or hashes. The message continues a sentence that starts with its setting. */
export class InvalidPasswordBlocklist extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'InvalidPasswordBlocklist';
  }
}

/** A file of the operator's that is kept open. */
export type OpenPasswordBlocklist = PasswordBlocklist & AsyncDisposable;

/**
 * Opens an operator's list of refused passwords, in one of two forms, told apart by the first line:
 *
 * - SHA-1 in hexadecimal, one a line, sorted, with or without `:<count>`: what the Have I Been Pwned downloader writes.
 *   Searched on disk, so that its size does not matter. A password is looked up as typed and in lower case.
 * - Passwords, one a line, UTF-8, in any case of letters: read into memory, at most 16 MiB.
 *
 * A changed file takes effect at the next start.
 *
 * @throws InvalidPasswordBlocklist
 */
export async function openPasswordBlocklist(path: string): Promise<OpenPasswordBlocklist> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new InvalidPasswordBlocklist(`${path} is not a file`);
    const source = byteSource(file, stats.size);
    if (!(await SortedHashes.looksLike(source))) return await plainBlocklist(path, file, stats.size);
    const hashes = new SortedHashes(source);
    const problem = await hashes.problem();
    if (problem !== null) throw new InvalidPasswordBlocklist(`${path} ${problem}`);
    return hashedBlocklist(file, hashes);
  } catch (error) {
    await file.close();
    throw error instanceof InvalidPasswordBlocklist ? error : unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): InvalidPasswordBlocklist {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  return new InvalidPasswordBlocklist(`${path} can't be read: ${reason}`, { cause: error });
}

function byteSource(file: FileHandle, size: number): ByteSource {
  return {
    size,
    read: async (position, length) => {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    },
  };
}

async function plainBlocklist(path: string, file: FileHandle, size: number): Promise<OpenPasswordBlocklist> {
  const passwords = await readPlainPasswords(file, size);
  if (!passwords.ok) throw new InvalidPasswordBlocklist(`${path} ${passwords.reason}`);
  await file.close();
  return {
    has: async (password) => passwords.value.has(password),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function hashedBlocklist(file: FileHandle, hashes: SortedHashes): OpenPasswordBlocklist {
  return {
    has: async (password) => {
      try {
        for (const form of new Set([password, password.toLowerCase()])) {
          if (await hashes.has(digest('sha1', form, 'hex'))) return true;
        }
        return false;
      } catch (error) {
        throw new PasswordBlocklistUnreadable({ cause: error });
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
