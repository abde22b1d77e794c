import { hash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidFile } from '../../../../runtime/invalid-file.ts';
import { loadFile, unreadable } from '../../../../runtime/load-file.ts';

/** A larger file is refused. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** All files together: they are read again and again. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_FILES = 1_000;

/** The content of one file. */
export interface EnvoyFile {
  readonly path: string;
  readonly content: Buffer;
  /** Of the content. Made file by file: of all at once it would hold up checks by some ms for each 4 MB. */
  readonly sha256: string;
}

/**
 * Reads the files that `paths` name: files, and of directories all `*.yaml` and `*.yml` that are not hidden, sorted.
 *
 * @throws InvalidFile where one isn't there, can't be read, or is too large
 */
export async function loadEnvoyFiles(paths: readonly string[]): Promise<readonly EnvoyFile[]> {
  const files: EnvoyFile[] = [];
  const problems: string[] = [];
  let bytes = 0;
  for (const path of await listFiles(paths)) {
    try {
      const content = await loadFile(path, MAX_FILE_BYTES);
      bytes += content.length;
      files.push({ path, content, sha256: hash('sha256', content, 'hex') });
    } catch (error) {
      problems.push(...problemsOf(error, path));
    }
    if (bytes > MAX_BYTES) {
      problems.push(`${path} and the files before it have more than ${MAX_BYTES} bytes`);
      break;
    }
  }
  if (problems.length > 0) throw new InvalidFile(problems);
  return files;
}

async function listFiles(paths: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  const problems: string[] = [];
  for (const path of paths) {
    try {
      const isDirectory = (await stat(path)).isDirectory();
      const found = isDirectory ? await listDirectory(path) : [path];
      if (found.length === 0) problems.push(`${path} has no *.yaml and no *.yml`);
      files.push(...found);
    } catch (error) {
      problems.push(...problemsOf(error, path));
    }
  }
  if (files.length > MAX_FILES) problems.push(`${files.length} files are more than ${MAX_FILES}`);
  if (problems.length > 0) throw new InvalidFile(problems);
  return files;
}

async function listDirectory(path: string): Promise<readonly string[]> {
  const names = await readdir(path);
  return names
    .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
    .sort()
    .map((name) => join(path, name));
}

function problemsOf(error: unknown, path: string): readonly string[] {
  return (error instanceof InvalidFile ? error : unreadable(path, error)).problems;
}
