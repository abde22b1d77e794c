import { readFile, stat } from 'node:fs/promises';
import { InvalidFile } from './invalid-file.ts';

/**
 * Reads a file that a setting names.
 *
 * @throws InvalidFile where it isn't there, can't be read, or has more than so many bytes
 */
export async function loadFile(path: string, maxBytes: number): Promise<Buffer> {
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new InvalidFile([`${path} is not a file`]);
    if (info.size > maxBytes) throw new InvalidFile([`${path} has more than ${maxBytes} bytes`]);
    return await readFile(path);
  } catch (error) {
    throw error instanceof InvalidFile ? error : unreadable(path, error);
  }
}

/** What a failure to read a file or a directory tells. */
export function unreadable(path: string, error: unknown): InvalidFile {
  return new InvalidFile([`${path} can't be read: ${(error as NodeJS.ErrnoException).code ?? error}`]);
}

/** @throws InvalidFile where the content is not UTF-8 */
export function textOf(path: string, content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw new InvalidFile([`${path} is not UTF-8`]);
  }
}
