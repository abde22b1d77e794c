import { hash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { JSONWebKeySet } from 'jose';
import { InvalidFile } from '../invalid-file.ts';
import { loadFile, textOf } from '../load-file.ts';
import { type CallersDocument, readCallersDocument } from './callers-document.ts';
import { readJwks } from './jwks.ts';
import type { Policy } from './policy.ts';

/** A larger file is refused. */
const MAX_FILE_BYTES = 256 * 1024;

/** One state of the callers file and of the key sets in files that it names. */
export interface CallersFile {
  readonly document: CallersDocument;
  /** Key sets by the path that the document has. */
  readonly keySets: ReadonlyMap<string, JSONWebKeySet>;
  /** All files that it was read from. */
  readonly paths: readonly string[];
  /** Of their content, as {@link fingerprintOf} has it. */
  readonly fingerprint: string;
}

/** @throws InvalidFile with all that is wrong */
export async function readCallersFile(path: string, policy: Policy): Promise<CallersFile> {
  const content = await loadText(path);
  const { document, problems } = readCallersDocument(content, policy);
  if (document === undefined) throw new InvalidFile(problems.map((each) => `${path}:${each}`));
  const keySets = new Map<string, JSONWebKeySet>();
  const paths = [path];
  const texts = [content];
  const wrong: string[] = [];
  for (const { source } of document.issuers) {
    if (!('file' in source)) continue;
    const file = resolve(dirname(path), source.file);
    paths.push(file);
    try {
      const text = await loadText(file);
      texts.push(text);
      keySets.set(source.file, readJwks(text));
    } catch (error) {
      if (error instanceof InvalidFile) wrong.push(...error.problems);
      else wrong.push(`${file} ${(error as Error).message}`);
    }
  }
  if (wrong.length > 0) throw new InvalidFile(wrong);
  return { document, keySets, paths, fingerprint: digestOf(texts) };
}

/** The same for the same content of the files; what is wrong with those that can't be read is content too. */
export async function fingerprintOf(paths: readonly string[]): Promise<string> {
  const texts = paths.map((path) => loadText(path).catch((error: Error) => error.message));
  return digestOf(await Promise.all(texts));
}

function digestOf(texts: readonly string[]): string {
  return hash('sha256', JSON.stringify(texts), 'hex');
}

async function loadText(path: string): Promise<string> {
  return textOf(path, await loadFile(path, MAX_FILE_BYTES));
}
