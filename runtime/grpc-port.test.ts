import * as http2 from 'node:http2';
import { createRequire } from 'node:module';
import { createClient } from '@connectrpc/connect';
import { Client, credentials } from '@grpc/grpc-js';
import { protoPath as healthProto } from 'grpc-health-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { EchoService } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { type RunningEcho, startEcho } from '../testing/echo-service.ts';
import { foreignClient } from '../testing/foreign-client.ts';

const ECHO = '/optix.testing.v1.EchoService/Echo';
const require = createRequire(import.meta.url);

type Answer = Readonly<Record<string, unknown>>;
interface AnswerStream extends AsyncIterable<Answer> {
  write(message: unknown): void;
  end(): void;
  cancel(): void;
}

function reflection(address: string, version: 'v1' | 'v1alpha') {
  const proto = require.resolve(`@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`);
  const client = foreignClient(address, proto, ['grpc', 'reflection', version, 'ServerReflection']);
  const ask = async (question: unknown): Promise<Answer> => {
    const stream = client['ServerReflectionInfo']?.() as unknown as AnswerStream;
    stream.write(question);
    stream.end();
    for await (const answer of stream) return answer;
    throw new Error('no answer');
  };
  return { ask, [Symbol.dispose]: () => client.close() };
}

describe('the gRPC port', () => {
  let echo: RunningEcho;
  beforeAll(async () => {
    echo = await startEcho();
  });
  afterAll(async () => {
    await echo[Symbol.asyncDispose]();
  });

  describe.each(['v1', 'v1alpha'] as const)('server reflection %s', (version) => {
    it('lists the services', async () => {
      using client = reflection(echo.grpcAddress, version);
      const { list_services_response } = await client.ask({ list_services: '*' });
      const { service } = list_services_response as { service: { name: string }[] };
      expect(service.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['optix.testing.v1.EchoService', 'grpc.health.v1.Health']),
      );
    });

    it.each([
      ['optix.testing.v1.EchoService', 'EchoRequest'],
      ['google.rpc.BadRequest', 'FieldViolation'],
      // The name of a map's entry type is fixed; tools refuse the whole file over a wrong one.
      ['grpc.health.v1.Health', 'StatusesEntry'],
    ])('describes %s', async (symbol, part) => {
      using client = reflection(echo.grpcAddress, version);
      const { file_descriptor_response } = await client.ask({
        file_containing_symbol: symbol,
      });
      const { file_descriptor_proto } = file_descriptor_response as { file_descriptor_proto: Buffer[] };
      expect(Buffer.concat(file_descriptor_proto).toString('latin1')).toContain(part);
    });
  });

  it('answers health checks for the whole and by name, and NOT_FOUND for what it does not know', async () => {
    const client = foreignClient(echo.grpcAddress, healthProto, ['grpc', 'health', 'v1', 'Health']);
    const check = async (service: string) =>
      await new Promise<unknown>((resolve) => {
        client['Check']?.({ service }, (error: { code: number } | null, answer: Answer) => {
          resolve(error?.code ?? answer['status']);
        });
      });
    expect(await check('')).toBe('SERVING');
    expect(await check('optix.testing.v1.EchoService')).toBe('SERVING');
    expect(await check('nobody')).toBe(5);
    client.close();
  });

  it('answers a deadline that has no meaning with an error, and bytes that are no message with INVALID_ARGUMENT', async () => {
    expect(await rawCall(echo.grpcAddress, frame(Buffer.from([0xff, 0xff])))).toMatchObject({
      'grpc-status': '3',
    });
    expect(await rawCall(echo.grpcAddress, frame(Buffer.alloc(0)), { 'grpc-timeout': 'soon' })).toMatchObject(
      {
        'grpc-status': '13',
      },
    );
  });

  it('answers a frame that is cut off with an error', async () => {
    const whole = frame(Buffer.from('\n\x05hello'));
    const status = await rawCall(echo.grpcAddress, whole.subarray(0, 8));
    expect(Number(status['grpc-status'])).toBeGreaterThan(0);
  });

  it('answers a frame that claims more bytes than it may with RESOURCE_EXHAUSTED', async () => {
    const claim = Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]);
    expect(await rawCall(echo.grpcAddress, claim)).toMatchObject({ 'grpc-status': '8' });
  });

  it('refuses another content type with 415', async () => {
    const status = await rawCall(echo.grpcAddress, frame(Buffer.alloc(0)), { 'content-type': 'text/plain' });
    expect(status[':status']).toBe(415);
  });

  it('serves on after all of that', async () => {
    const client = new Client(echo.grpcAddress, credentials.createInsecure());
    const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
      const raw = (bytes: Buffer) => bytes;
      client.makeUnaryRequest(ECHO, raw, raw, Buffer.from('\n\x05hello'), (error, value) =>
        error === null ? resolve(value) : reject(error),
      );
    });
    expect(answer?.toString()).toBe('\n\x05hello');
    client.close();
  });
});

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** One call of Echo with these very bytes; answers status, headers and trailers together. */
async function rawCall(
  address: string,
  body: Buffer,
  headers: Record<string, string> = {},
): Promise<http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader> {
  const session = http2.connect(`http://${address}`);
  try {
    const request = session.request({
      ':method': 'POST',
      ':path': ECHO,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    request.end(body);
    let all: http2.IncomingHttpHeaders = {};
    request.on('response', (received) => {
      all = { ...all, ...received };
    });
    request.on('trailers', (received) => {
      all = { ...all, ...received };
    });
    request.resume();
    await new Promise<void>((resolve, reject) => {
      request.once('close', resolve);
      request.once('error', reject);
    });
    return all;
  } finally {
    session.destroy();
  }
}

describe('a connection of the age that the port allows', () => {
  it('is told to take its calls elsewhere; no call fails of a client that does', async () => {
    await using echo = await startEcho({ grpc: { maxConnectionAgeMs: 100 } });
    const session = http2.connect(`http://${echo.grpcAddress}`);
    onTestFinished(() => session.destroy());
    const told = Promise.withResolvers<number>();
    session.once('goaway', told.resolve);
    using transport = createGrpcTransport({ address: echo.grpcAddress });
    const client = createClient(EchoService, transport);
    const end = performance.now() + 700;
    while (performance.now() < end) expect((await client.echo({ text: 'hello' })).text).toBe('hello');
    expect(await told.promise).toBe(http2.constants.NGHTTP2_NO_ERROR);
  });
});
