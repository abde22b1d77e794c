import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Progress } from '../../output/progress.ts';
import { MANIFEST, SUMS } from './archive-writer.ts';
import { FORMAT, type Manifest, manifestSchema } from './manifest.ts';

/** What is there is no whole backup, or not as it was written. */
export class BackupUnusable extends Error {
  override name = 'BackupUnusable';
}

/** A backup, each file of which is as it was written. */
export interface Archive {
  readonly directory: string;
  readonly manifest: Manifest;
  /** Size of a file on disk, in bytes. */
  sizeOf(file: string): number;
  /** The content of a file, as it was before it was compressed. @param onRead told of bytes read of one that is */
  open(file: string, onRead?: (bytes: number) => void): Readable;
}

/**
 * Reads all of a backup and compares it with its digests.
 *
 * @throws BackupUnusable that names each file that is missing or not as it was written
 */
export async function openArchive(path: string, progress: Progress): Promise<Archive> {
  const directory = resolve(path);
  const digests = await readSums(directory);
  const sizes = await sizesOf(directory, [...digests.keys()]);
  const sizeBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const problems = [...digests.keys()].filter((file) => !sizes.has(file)).map((file) => `${file} is missing`);
  let readBytes = 0;
  for (const [file, digest] of digests) {
    if (!sizes.has(file)) continue;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(directory, file))) {
      hash.update(chunk as Buffer);
      readBytes += (chunk as Buffer).length;
      progress.show({ sizeBytes, readBytes });
    }
    if (hash.digest('hex') !== digest) problems.push(`${file} is not as it was written`);
  }
  progress.clear();
  if (problems.length > 0) throw new BackupUnusable(`${directory} can't be used: ${problems.join(', ')}`);
  return {
    directory,
    manifest: await readManifest(directory, digests),
    sizeOf: (file) => sizes.get(file) ?? 0,
    open: (file, onRead) => openFile(join(directory, file), onRead),
  };
}

async function readSums(directory: string): Promise<ReadonlyMap<string, string>> {
  let text: string;
  try {
    text = await readFile(join(directory, SUMS), 'utf8');
  } catch (error) {
    if (!/^(?:ENOENT|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new BackupUnusable(`${directory} is no finished backup: it has no ${SUMS}`);
  }
  const lines = text.split('\n').slice(0, -1);
  const entries = lines.map((line) => /^([0-9a-f]{64}) {2}([a-zA-Z0-9_][\w.]*)$/.exec(line));
  if (entries.includes(null) || !text.endsWith('\n')) {
    throw new BackupUnusable(`${directory} can't be used: ${SUMS} is not as it was written`);
  }
  return new Map(entries.map((entry) => [entry?.[2] ?? '', entry?.[1] ?? '']));
}

async function sizesOf(directory: string, files: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const file of files) {
    const found = await stat(join(directory, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (found?.isFile()) sizes.set(file, found.size);
  }
  return sizes;
}

async function readManifest(directory: string, digests: ReadonlyMap<string, string>): Promise<Manifest> {
  const unusable = (why: string) => new BackupUnusable(`${directory} can't be used: ${why}`);
  if (!digests.has(MANIFEST)) throw unusable(`${SUMS} does not name ${MANIFEST}`);
  const written = parsed(await readFile(join(directory, MANIFEST), 'utf8'));
  if (typeof written?.format === 'number' && written.format > FORMAT) {
    throw unusable(`its format is ${written.format}, and this program knows ${FORMAT}: use a newer program`);
  }
  const read = manifestSchema.safeParse(written);
  if (!read.success) {
    const places = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw unusable(`${MANIFEST} is none: ${places.slice(0, 5).join('; ')}`);
  }
  const { identity, limiter } = read.data;
  const parts = [...(identity?.tables ?? []), ...(limiter?.documents ?? [])];
  const unknown = parts.filter(({ file }) => !digests.has(file)).map(({ file }) => file);
  if (unknown.length > 0) throw unusable(`${SUMS} does not name ${unknown.join(', ')}`);
  return read.data;
}

/** Undefined where it is no JSON. */
function parsed(text: string): { readonly format?: unknown } | null | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function openFile(path: string, onRead: (bytes: number) => void = () => undefined): Readable {
  const file = createReadStream(path);
  if (!path.endsWith('.gz')) return file;
  const content = createGunzip();
  // `pipe` passes no error on.
  file.on('error', (error) => content.destroy(error));
  file.pipe(content);
  file.on('data', (chunk) => onRead(chunk.length));
  return content;
}
