// grpcurl for machines that have none: `-plaintext [-d JSON] ADDRESS list|SERVICE/METHOD`. Knows no contract beforehand:
// what it lists, asks and prints comes from the server's reflection, so that a README which names a service, a method
// or a field that is not there fails. Calls unary methods only.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import {
  create,
  createFileRegistry,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials } from '@grpc/grpc-js';
import { foreignClient } from '../../testing/foreign-client.ts';

type Answer = Readonly<Record<string, unknown>>;
interface AnswerStream extends AsyncIterable<Answer> {
  write(message: unknown): void;
  end(): void;
}

const PROTO = createRequire(import.meta.url).resolve(
  '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto',
);
const PATH = ['grpc', 'reflection', 'v1', 'ServerReflection'];

async function reflect(address: string, question: object): Promise<Answer> {
  const client = foreignClient(address, PROTO, PATH);
  try {
    const stream = client['ServerReflectionInfo']?.() as unknown as AnswerStream;
    stream.write(question);
    stream.end();
    for await (const answer of stream) return answer;
    throw new Error('the server gave no answer');
  } finally {
    client.close();
  }
}

async function list(address: string): Promise<string[]> {
  const answer = await reflect(address, { list_services: '*' });
  const { service } = answer['list_services_response'] as { service: { name: string }[] };
  return service.map(({ name }) => name).sort();
}

async function contractOf(address: string, service: string): Promise<FileRegistry> {
  const answer = await reflect(address, { file_containing_symbol: service });
  const found = answer['file_descriptor_response'] as { file_descriptor_proto: Buffer[] } | undefined;
  if (found === undefined) throw new Error(`the server knows no ${service}`);
  // Dependencies come after what needs them; the registry wants them before.
  const files = found.file_descriptor_proto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  const ordered: typeof files = [];
  const add = (file: (typeof files)[number] | undefined): void => {
    if (file === undefined || ordered.includes(file)) return;
    for (const dependency of file.dependency) add(files.find(({ name }) => name === dependency));
    ordered.push(file);
  };
  for (const file of files) add(file);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: ordered }));
}

async function call(address: string, method: DescMethod, request: Uint8Array): Promise<Buffer> {
  const client = new Client(address, credentials.createInsecure());
  const asIs = (bytes: Buffer) => bytes;
  try {
    return await new Promise((resolve, reject) => {
      const path = `/${method.parent.typeName}/${method.name}`;
      client.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), (error, answer) => {
        if (error !== null || answer === undefined) reject(error ?? new Error('no answer'));
        else resolve(answer);
      });
    });
  } finally {
    client.close();
  }
}

const { values, positionals } = parseArgs({
  // grpcurl takes its long flags with one dash.
  args: process.argv.slice(2).map((argument) => (argument === '-plaintext' ? '--plaintext' : argument)),
  allowPositionals: true,
  options: { plaintext: { type: 'boolean' }, data: { type: 'string', short: 'd' } },
});
const [address, what] = positionals;
if (address === undefined || what === undefined || values.plaintext !== true) {
  throw new Error('usage: grpcurl -plaintext [-d JSON] ADDRESS list|SERVICE/METHOD');
}
if (what === 'list') {
  for (const name of await list(address)) process.stdout.write(`${name}\n`);
} else {
  const [service = '', name = ''] = what.split('/');
  const registry = await contractOf(address, service);
  const method = registry.getService(service)?.methods.find((candidate) => candidate.name === name);
  if (method === undefined) throw new Error(`${service} has no method ${name}`);
  const request = fromJsonString(method.input, values.data ?? '{}', { registry });
  const answer = await call(address, method, toBinary(method.input, request));
  const text = toJsonString(method.output, fromBinary(method.output, answer), { registry, prettySpaces: 2 });
  process.stdout.write(`${text}\n`);
}
