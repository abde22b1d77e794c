import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fromJsonString } from '@bufbuild/protobuf';
import {
  type ImportUsersRequest,
  ImportUsersRequestSchema,
} from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { FileProgress } from '../../output/progress.ts';

/** Users to import, as they are read from a file of JSON lines. Holds one line at a time. */
export interface ImportLines extends FileProgress, AsyncIterable<ImportUsersRequest> {
  /** Why the file could not be read on. */
  readonly mistake: Error | undefined;
  /** The line, from 1, that a user stood on, by its place in the stream from 0: empty lines have none. */
  lineOf(index: number): number;
}

/**
 * @param path `-` for standard input
 * @throws Error where the file can't be read
 */
export async function openImportLines(path: string): Promise<ImportLines> {
  const isInput = path === '-';
  const name = isInput ? 'standard input' : path;
  const found = isInput ? undefined : await stat(path).catch((error) => unreadable(name, error));
  if (found?.isDirectory()) throw new Error(`${name} is a directory`);
  const input = isInput ? process.stdin : createReadStream(path);
  let readBytes = 0;
  input.on('data', (chunk: Buffer | string) => (readBytes += chunk.length));
  input.pause();
  let mistake: Error | undefined;
  /** For each empty line how many users stood before it. */
  const gaps: number[] = [];

  async function* lines(): AsyncGenerator<ImportUsersRequest> {
    let line = 0;
    try {
      for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
        line += 1;
        if (text.trim() === '') gaps.push(line - 1 - gaps.length);
        else yield readLine(text, `${name}:${line}`);
      }
    } catch (error) {
      mistake = error instanceof InvalidLine ? error : unreadableError(name, error);
      throw mistake;
    }
  }
  return {
    sizeBytes: found?.isFile() ? found.size : undefined,
    get readBytes() {
      return readBytes;
    },
    get mistake() {
      return mistake;
    },
    lineOf: (index) => index + 1 + gaps.filter((before) => before <= index).length,
    [Symbol.asyncIterator]: lines,
  };
}

class InvalidLine extends Error {}

function readLine(text: string, place: string): ImportUsersRequest {
  try {
    return fromJsonString(ImportUsersRequestSchema, text);
  } catch (error) {
    throw new InvalidLine(`${place} is no user to import: ${reasonOf(error as Error)}`);
  }
}

/** Without what stands in the line: a password hash does not belong on a terminal. */
function reasonOf({ message }: Error): string {
  const [, field] = /^cannot decode field \S+\.(\w+) from JSON/.exec(message) ?? [];
  if (field !== undefined) return `the field ${field} has a value of another kind`;
  const [, key] = /: key "(\w{1,64})" is unknown$/.exec(message) ?? [];
  if (key !== undefined) return `there is no field "${key}"`;
  return 'it must be one JSON object';
}

function unreadable(name: string, error: unknown): never {
  throw unreadableError(name, error);
}

function unreadableError(name: string, error: unknown): Error {
  return new Error(`${name} can't be read: ${(error as NodeJS.ErrnoException).code ?? error}`);
}
