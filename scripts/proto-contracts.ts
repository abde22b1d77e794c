import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createFileRegistry, type DescMessage, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { ROOT } from './run-command.ts';

/** The contracts in proto/ as buf reads them. */
export interface Contracts {
  readonly registry: FileRegistry;
  /** What the comment before something says, as paragraphs of one line each; none where it has none. */
  commentOf(described: { readonly proto: object }): readonly string[];
}

/** Numbers of the fields by which SourceCodeInfo.Location.path leads from one descriptor to those in it. */
const IN_FILE = { message: 4, enum: 5, service: 6 } as const;
const IN_MESSAGE = { field: 2, message: 3, enum: 4, oneof: 8 } as const;
const IN_ENUM = { value: 2 } as const;
const IN_SERVICE = { method: 2 } as const;

/**
 * Reads all contracts, with their comments.
 *
 * @throws Error where buf can't build them.
 */
export async function readContracts(): Promise<Contracts> {
  // buf wants a place for its cache even though all contracts are here, and there may be no home directory.
  const cache = await mkdtemp(join(tmpdir(), 'optix-buf-'));
  try {
    const { stdout } = await promisify(execFile)(
      join(ROOT, 'node_modules', '.bin', 'buf'),
      ['build', '--as-file-descriptor-set', '--output', '-'],
      {
        cwd: ROOT,
        env: { ...process.env, BUF_CACHE_DIR: cache },
        encoding: 'buffer',
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    const image = fromBinary(FileDescriptorSetSchema, stdout);
    const comments = new Map(image.file.flatMap((file) => [...commentsOf(file)]));
    return {
      registry: createFileRegistry(image),
      commentOf: ({ proto }) => paragraphs(comments.get(proto) ?? ''),
    };
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}

/** Whether a message is what the compiler makes of a map field. */
export function isMapEntry({ proto }: DescMessage): boolean {
  return proto.options?.mapEntry === true;
}

function* commentsOf(file: FileDescriptorProto): Iterable<readonly [object, string]> {
  const byPath = new Map(
    file.sourceCodeInfo?.location.map(({ path, leadingComments }) => [path.join(), leadingComments]),
  );
  for (const [path, described] of descriptorsOf(file)) {
    const comment = byPath.get(path.join());
    if (comment) yield [described, comment];
  }
}

type Located = readonly [path: readonly number[], described: object];

function* descriptorsOf(file: FileDescriptorProto): Iterable<Located> {
  for (const [index, message] of file.messageType.entries())
    yield* inMessage(message, [IN_FILE.message, index]);
  for (const [index, type] of file.enumType.entries()) yield* inEnum(type, [IN_FILE.enum, index]);
  for (const [index, service] of file.service.entries()) {
    const path = [IN_FILE.service, index];
    yield [path, service];
    yield* each(service.method, [...path, IN_SERVICE.method]);
  }
}

function* inMessage(message: DescriptorProto, path: readonly number[]): Iterable<Located> {
  yield [path, message];
  yield* each(message.field, [...path, IN_MESSAGE.field]);
  yield* each(message.oneofDecl, [...path, IN_MESSAGE.oneof]);
  for (const [index, nested] of message.nestedType.entries()) {
    yield* inMessage(nested, [...path, IN_MESSAGE.message, index]);
  }
  for (const [index, nested] of message.enumType.entries()) {
    yield* inEnum(nested, [...path, IN_MESSAGE.enum, index]);
  }
}

function* inEnum(type: EnumDescriptorProto, path: readonly number[]): Iterable<Located> {
  yield [path, type];
  yield* each(type.value, [...path, IN_ENUM.value]);
}

function* each(described: readonly object[], path: readonly number[]): Iterable<Located> {
  for (const [index, one] of described.entries()) yield [[...path, index], one];
}

/** A comment's lines, put together where no empty one parts them. */
function paragraphs(comment: string): readonly string[] {
  return comment
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replaceAll(/\s*\n\s*/g, ' ').trim())
    .filter((paragraph) => paragraph !== '');
}
