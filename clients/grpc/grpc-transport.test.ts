import { setTimeout as sleep } from 'node:timers/promises';
import { Code, createClient, encodeBinaryHeader } from '@connectrpc/connect';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EchoService } from '../../gen/optix/testing/v1/echo_service_pb.ts';
import { type RunningEcho, startEcho } from '../../testing/echo-service.ts';
import { failure } from '../../testing/failure.ts';
import { createGrpcTransport, type GrpcTransportOptions } from './grpc-transport.ts';

function connect(options: GrpcTransportOptions) {
  return createClient(EchoService, createGrpcTransport(options));
}

async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

/** A server that answers what no server of this project would. */
async function startRawServer(handlers: {
  readonly echo?: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;
  readonly repeat?: (call: ServerWritableStream<Buffer, Buffer>) => void;
}): Promise<{ readonly address: string } & Disposable> {
  const bytes = (value: Buffer) => value;
  const method = (name: string, responseStream: boolean) => ({
    path: `/${EchoService.typeName}/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  });
  const server = new Server();
  server.addService({ echo: method('Echo', false), repeat: method('Repeat', true) }, { ...handlers });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, [Symbol.dispose]: () => server.forceShutdown() };
}

let echo: RunningEcho;
beforeAll(async () => {
  echo = await startEcho();
});
afterAll(async () => {
  await echo[Symbol.asyncDispose]();
});

describe('error details that no decoder can read', () => {
  const status = () => {
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]));
    return { code: 3, details: 'not like this', metadata };
  };

  it.each(['unary', 'stream'] as const)(
    'leave code and message of a %s call',
    async (kind) => {
      using server = await startRawServer({
        echo: (_call, callback) => callback(status()),
        repeat: (call) => void call.emit('error', status()),
      });
      const client = connect({ address: server.address });
      const error = await failure(kind === 'unary' ? client.echo({}) : collect(client.repeat({})));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toBe('not like this');
      expect(error.details).toEqual([]);
    },
    5000,
  );
});

describe('metadata that gRPC can not carry', () => {
  it.each([
    ['beyond Latin-1', 'x-note', 'geheim-€'],
    ['beyond ASCII', 'x-note', 'geheim-ü'],
    ['with a line break', 'x-note', 'geheim-\n-2'],
    ['that is not base64', 'x-note-bin', 'geheim!'],
  ])('is refused by name, not by value: a value %s', async (_, name, value) => {
    const client = connect({ address: echo.grpcAddress });
    for (const call of [
      client.echo({}, { headers: { [name]: value } }),
      collect(client.repeat({}, { headers: [[name, value]] })),
    ]) {
      const error = await failure(call);
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.message).toContain(`"${name}"`);
      expect(`${error.stack} ${error.cause}`).not.toContain('geheim');
    }
  });

  it('is refused where the name is illegal', async () => {
    const client = connect({ address: echo.grpcAddress });
    const error = await failure(client.echo({}, { headers: { 'x note': 'geheim' } }));
    expect([error.code, error.rawMessage]).toEqual([
      Code.InvalidArgument,
      'the header "x note" is not a name that gRPC can send',
    ]);
  });

  it.each(['schlüssel-geheim', 'geheim\n'])('is refused at once where it is the API key', (apiKey) => {
    let thrown: unknown;
    try {
      createGrpcTransport({ address: echo.grpcAddress, apiKey });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TypeError);
    expect((thrown as Error).stack).not.toContain('geheim');
  });
});

describe('the default time-out', () => {
  it('ends a unary call', async () => {
    const client = connect({ address: echo.grpcAddress, defaultTimeoutMs: 100 });
    expect((await failure(client.echo({ behaviour: 'hang' }))).code).toBe(Code.DeadlineExceeded);
  });

  it('leaves a stream open', async () => {
    const abort = new AbortController();
    const client = connect({ address: echo.grpcAddress, defaultTimeoutMs: 100 });
    const started = performance.now();
    const read = async () => {
      for await (const _ of client.repeat({ text: 'x', count: 0 }, { signal: abort.signal })) {
        if (performance.now() - started > 400) abort.abort();
      }
    };
    expect((await failure(read())).code).toBe(Code.Canceled);
  });

  it("gives way to a stream's own", async () => {
    const answers = connect({ address: echo.grpcAddress }).repeat(
      { text: 'x', count: 0 },
      { timeoutMs: 100 },
    );
    expect((await failure(collect(answers))).code).toBe(Code.DeadlineExceeded);
  });
});

describe('-bin headers', () => {
  it('carry several values both ways', async () => {
    const values = ['a', 'bc', 'def'];
    let received: unknown;
    using server = await startRawServer({
      echo: (call, callback) => {
        received = call.metadata.get('x-parts-bin').map(String);
        const answer = new Metadata();
        for (const value of values) answer.add('x-answer-bin', Buffer.from(value));
        call.sendMetadata(answer);
        callback(null, Buffer.alloc(0), answer);
      },
    });
    const encoded = values.map((value) => encodeBinaryHeader(value)).join(', ');
    const answers: (string | null)[] = [];
    const note = (headers: Headers) => answers.push(headers.get('x-answer-bin'));
    const client = connect({ address: server.address });
    await client.echo({}, { headers: { 'x-parts-bin': encoded }, onHeader: note, onTrailer: note });
    expect(received).toEqual(values);
    expect(answers).toEqual([encoded, encoded]);
  });

  it('may be padded and given one by one', async () => {
    let received: unknown;
    using server = await startRawServer({
      echo: (call, callback) => {
        received = call.metadata.get('x-parts-bin').map(String);
        callback(null, Buffer.alloc(0));
      },
    });
    const headers: [string, string][] = [
      ['x-parts-bin', 'YQ=='],
      ['X-Parts-Bin', 'YmM=,ZGVm'],
    ];
    await connect({ address: server.address }).echo({}, { headers });
    expect(received).toEqual(['a', 'bc', 'def']);
  });
});

describe('the API key', () => {
  it('gives way to the authorization header of a call', async () => {
    const received: unknown[] = [];
    using server = await startRawServer({
      echo: (call, callback) => {
        received.push(...call.metadata.get('authorization'));
        callback(null, Buffer.alloc(0));
      },
    });
    const client = connect({ address: server.address, apiKey: 'key' });
    await client.echo({});
    await client.echo({}, { headers: { authorization: 'Bearer other' } });
    expect(received).toEqual(['Bearer key', 'Bearer other']);
  });
});

describe('a transport that was disposed of', () => {
  it('answers calls with UNAVAILABLE', async () => {
    const transport = createGrpcTransport({ address: echo.grpcAddress });
    const client = createClient(EchoService, transport);
    await client.echo({});
    transport[Symbol.dispose]();
    expect((await failure(client.echo({}))).code).toBe(Code.Unavailable);
    expect((await failure(collect(client.repeat({})))).code).toBe(Code.Unavailable);
  });

  it('lets running calls end', async () => {
    const transport = createGrpcTransport({ address: echo.grpcAddress });
    const slow = createClient(EchoService, transport).echo({ behaviour: 'slow', text: 'x' });
    await sleep(100);
    transport[Symbol.dispose]();
    expect((await slow).text).toBe('x');
  });
});

describe('a target with several addresses', () => {
  it('is asked at each of them in turn, and where one ends its work no call fails', async () => {
    await using first = await startEcho();
    const second = await startEcho();
    using transport = createGrpcTransport({ address: `ipv4:${first.grpcAddress},${second.grpcAddress}` });
    const client = createClient(EchoService, transport);
    const calls = (of: RunningEcho) => of.log.filter(({ msg }) => msg === 'call').length;
    const both = async () => {
      await client.echo({ text: 'hello' });
      return Math.min(calls(first), calls(second));
    };
    await expect.poll(both, { interval: 1 }).toBeGreaterThan(10);
    expect(Math.abs(calls(first) - calls(second))).toBeLessThan(10);
    let ended = false;
    const end = second[Symbol.asyncDispose]().then(() => {
      ended = true;
    });
    while (!ended) expect((await client.echo({ text: 'hello' })).text).toBe('hello');
    await end;
  });
});
