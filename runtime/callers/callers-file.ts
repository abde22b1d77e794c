import { hash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { JSONWebKeySet } from 'jose';
import { type CallersDocument, readCallersDocument } from './callers-document.ts';
import { readJwks } from './jwks.ts';
import type { Policy } from './policy.ts';

/** A larger file is refused. */
const MAX_FILE_BYTES = 256 * 1024;

/** The callers file is missing, or has content that can't be used; or a key set that it names. */
export class InvalidCallersFile extends Error {
  /** One line each, beginning with the file, mostly as `<file>:<line>:<column> <field> <what>`. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'InvalidCallersFile';
    this.problems = problems;
  }
}

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

/** @throws InvalidCallersFile with all that is wrong */
export async function readCallersFile(path: string, policy: Policy): Promise<CallersFile> {
  const content = await loadText(path);
  const { document, problems } = readCallersDocument(content, policy);
  if (document === undefined) throw new InvalidCallersFile(problems.map((each) => `${path}:${each}`));
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
      if (error instanceof InvalidCallersFile) wrong.push(...error.problems);
      else wrong.push(`${file} ${(error as Error).message}`);
    }
  }
  if (wrong.length > 0) throw new InvalidCallersFile(wrong);
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
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new InvalidCallersFile([`${path} is not a file`]);
    if (info.size > MAX_FILE_BYTES) {
      throw new InvalidCallersFile([`${path} has more than ${MAX_FILE_BYTES} bytes`]);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof InvalidCallersFile) throw error;
    if (error instanceof TypeError) throw new InvalidCallersFile([`${path} is not UTF-8`]);
    throw new InvalidCallersFile([
      `${path} can't be read: ${(error as NodeJS.ErrnoException).code ?? error}`,
    ]);
  }
}
