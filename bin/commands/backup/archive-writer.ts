import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Manifest } from './manifest.ts';

/** Where the digest of each file stands, in the form that `sha256sum --check` reads. Written last. */
export const SUMS = 'SHA256SUMS';
export const MANIFEST = 'manifest.json';

/**
 * A backup in the making: a directory for its owner alone, under another name until it is whole. Disposed of before it was
 * published, nothing is left of it; after a crash what is left has no {@link SUMS}, and no restore takes it.
 */
export class ArchiveWriter implements AsyncDisposable {
  readonly directory: string;
  readonly #unfinished: string;
  readonly #signal: AbortSignal;
  readonly #digests = new Map<string, string>();
  #bytes = 0;
  #isPublished = false;

  private constructor(directory: string, signal: AbortSignal) {
    this.directory = directory;
    this.#signal = signal;
    const mark = randomBytes(4).toString('hex');
    this.#unfinished = join(dirname(directory), `.${basename(directory)}.unfinished-${mark}`);
  }

  /** @throws Error where something is there already, or the directory can't be made */
  static async create(path: string, signal: AbortSignal): Promise<ArchiveWriter> {
    const writer = new ArchiveWriter(resolve(path), signal);
    await writer.#refuseOver();
    await mkdir(writer.#unfinished, { mode: 0o700 });
    return writer;
  }

  /** Bytes on disk until now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a file; one whose name ends in `.gz` is compressed. It is on disk when this is fulfilled. */
  async add(name: string, source: Readable | string): Promise<void> {
    const hash = createHash('sha256');
    const counted = async function* (this: ArchiveWriter, chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        this.#bytes += chunk.length;
        yield chunk;
      }
    }.bind(this);
    const file = createWriteStream(join(this.#unfinished, name), { flags: 'wx', mode: 0o600, flush: true });
    const content = typeof source === 'string' ? Readable.from([Buffer.from(source)]) : source;
    const options = { signal: this.#signal };
    if (name.endsWith('.gz')) await pipeline(content, createGzip({ level: 3 }), counted, file, options);
    else await pipeline(content, counted, file, options);
    this.#digests.set(name, hash.digest('hex'));
  }

  /** Gives the backup its name, once all of it is on disk. */
  async publish(manifest: Manifest): Promise<void> {
    await this.add(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
    const lines = [...this.#digests].map(([name, digest]) => `${digest}  ${name}\n`);
    await this.add(SUMS, lines.join(''));
    await syncDirectory(this.#unfinished);
    await this.#refuseOver();
    await rename(this.#unfinished, this.directory);
    this.#isPublished = true;
    await syncDirectory(dirname(this.directory));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isPublished) await rm(this.#unfinished, { recursive: true, force: true });
  }

  async #refuseOver(): Promise<void> {
    try {
      await lstat(this.directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    throw new Error(`${this.directory} is there already: a backup is never written over anything`);
  }
}

/** Has the names in it survive a power cut (fsync(2)). */
async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
