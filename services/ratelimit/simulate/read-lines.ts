import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';

/** The log can't be read to its end. */
export class UnreadableLog extends Error {
  override name = 'UnreadableLog';
}

/** A line is cut off behind so many characters, which tells a reader that it is none. */
export const MAX_LINE_CHARACTERS = 65_536;
const CHUNK_BYTES = 256 * 1024;

/** A log that can be read once. */
export interface LogLines extends AsyncIterable<readonly string[]> {
  /** In the file, before unpacking; undefined where nobody knows it before the end. */
  readonly sizeBytes: number | undefined;
  /** So far, of those. */
  readonly readBytes: number;
}

/**
 * Opens a log, packed by gzip or not (by its first bytes, whatever its name), for reading in steps of a few thousand
 * lines. Memory stays the same however long it is.
 *
 * @param path `-` for standard input
 * @throws UnreadableLog where it isn't there, is a directory, or can't be read; while it is read, too
 */
export async function openLog(path: string): Promise<LogLines> {
  if (path === '-') return new Lines('standard input', undefined, process.stdin);
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw new UnreadableLog(`${path} is a directory`);
    const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES });
    await once(stream, 'open');
    return new Lines(path, info.isFile() ? info.size : undefined, stream);
  } catch (error) {
    throw unreadable(path, error);
  }
}

class Lines implements LogLines {
  readonly sizeBytes: number | undefined;
  readBytes = 0;
  readonly #path: string;
  readonly #stream: Readable;

  constructor(path: string, sizeBytes: number | undefined, stream: Readable) {
    this.#path = path;
    this.sizeBytes = sizeBytes;
    this.#stream = stream;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly string[]> {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    try {
      for await (const chunk of this.#unpacked()) {
        const lines = (rest + decoder.write(chunk)).split('\n');
        // What is cut off of a line that has no end would only fill the memory.
        rest = (lines.pop() as string).slice(0, MAX_LINE_CHARACTERS + 1);
        if (lines.length > 0) yield lines;
      }
    } catch (error) {
      throw unreadable(this.#path, error);
    }
    rest += decoder.end();
    if (rest !== '') yield [rest];
  }

  async *#unpacked(): AsyncGenerator<Buffer> {
    const chunks = this.#counted();
    let head = Buffer.alloc(0);
    while (head.length < 2) {
      const next = await chunks.next();
      if (next.done) break;
      head = Buffer.concat([head, next.value]);
    }
    const whole = prepended(head, chunks);
    if (head[0] !== 0x1f || head[1] !== 0x8b) {
      yield* whole;
      return;
    }
    // An error of the source ends the unpacking with it.
    yield* pipeline(Readable.from(whole, { objectMode: false }), createGunzip(), () => undefined);
  }

  async *#counted(): AsyncGenerator<Buffer> {
    for await (const chunk of this.#stream) {
      this.readBytes += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  }
}

async function* prepended(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}

function unreadable(path: string, error: unknown): UnreadableLog {
  if (error instanceof UnreadableLog) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code.startsWith('Z_')) return new UnreadableLog(`${path} is damaged, or ends too early: ${message}`);
  return new UnreadableLog(`${path} can't be read: ${code === '' ? message : code}`);
}
