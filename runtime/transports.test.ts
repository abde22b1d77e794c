import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../gen/google/rpc/error_details_pb.ts';
import { EchoRequestSchema, EchoService } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { type RunningEcho, startEcho } from '../testing/echo-service.ts';
import { failure } from '../testing/failure.ts';
import { CallerKeys } from './caller-auth.ts';
import { AccessControl } from './callers/access-control.ts';
import { CallerDirectory } from './callers/caller-directory.ts';
import { ConfiguredKeys } from './callers/configured-keys.ts';
import { ANY_CALLER, Policy } from './callers/policy.ts';
import { methodName } from './service-table.ts';

const API_KEY = 'a-key-of-a-test-gateway';
/** SHA-256 of the key above, worked out by `printf %s a-key-of-a-test-gateway | sha256sum`. */
const API_KEY_DIGEST = '408197152aad0b27c7325a10720022dc454596af4c84c0ea52c1911126f8d018';

interface Side {
  readonly name: string;
  readonly fullDuplex: boolean;
  transport(echo: RunningEcho): Transport;
}

const SIDES: readonly Side[] = [
  {
    name: 'gRPC',
    fullDuplex: true,
    transport: (echo) => createGrpcTransport({ address: echo.grpcAddress }),
  },
  {
    name: 'Connect, JSON over HTTP/1.1',
    fullDuplex: false,
    transport: (echo) =>
      createConnectTransport({ baseUrl: echo.httpUrl, httpVersion: '1.1', useBinaryFormat: false }),
  },
  {
    name: 'Connect, binary over cleartext HTTP/2',
    fullDuplex: true,
    transport: (echo) => createConnectTransport({ baseUrl: echo.httpUrl, httpVersion: '2' }),
  },
  {
    name: 'gRPC-Web over HTTP/1.1',
    fullDuplex: false,
    transport: (echo) => createGrpcWebTransport({ baseUrl: echo.httpUrl, httpVersion: '1.1' }),
  },
];

async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

async function* each<T>(...messages: readonly T[]) {
  yield* messages;
}

async function eventually(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 3000, interval: 10 }).toBe(true);
}

describe.each(SIDES)('$name', (side) => {
  let echo: RunningEcho;
  let client: ReturnType<typeof createClient<typeof EchoService>>;
  beforeAll(async () => {
    echo = await startEcho({ maxMessageBytes: 65_536 });
    client = createClient(EchoService, side.transport(echo));
  });
  afterAll(async () => {
    await echo[Symbol.asyncDispose]();
  });

  it('answers a unary call', async () => {
    expect((await client.echo({ text: 'hello' })).text).toBe('hello');
  });

  it('answers with a stream', async () => {
    const answers = await collect(client.repeat({ text: 'x', count: 500 }));
    expect(answers.map(({ text }) => text)).toEqual(Array(500).fill('x'));
  });

  it('takes a stream', async () => {
    expect((await client.join(each({ text: 'a' }, { text: 'b' }, { text: 'c' }))).text).toBe('abc');
  });

  it.runIf(side.fullDuplex)('takes and answers with a stream at the same time', async () => {
    const answers = await collect(client.chat(each({ text: 'a' }, { text: 'b' })));
    expect(answers.map(({ text }) => text)).toEqual(['a', 'b']);
  });

  it('carries metadata both ways', async () => {
    let header: Headers | undefined;
    let trailer: Headers | undefined;
    const answer = await client.echo(
      { behaviour: 'metadata' },
      {
        headers: { 'x-question': 'why' },
        onHeader: (received) => {
          header = received;
        },
        onTrailer: (received) => {
          trailer = received;
        },
      },
    );
    expect(answer.text).toBe('why');
    expect(header?.get('x-answer')).toBe('why');
    expect(trailer?.get('x-end')).toBe('bye');
  });

  it("tells the handler the caller's address", async () => {
    expect((await client.echo({ behaviour: 'peer' })).text).toBe('127.0.0.1');
  });

  it('tells the handler the time that is left', async () => {
    const left = Number((await client.echo({ behaviour: 'timeout' }, { timeoutMs: 5000 })).text);
    expect(left).toBeGreaterThan(3000);
    expect(left).toBeLessThanOrEqual(5000);
  });

  it('aborts the handler at the deadline and answers DEADLINE_EXCEEDED', async () => {
    const before = echo.aborted.length;
    const error = await failure(client.echo({ behaviour: 'hang' }, { timeoutMs: 100 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    await eventually(() => echo.aborted.length === before + 1);
    // A client that closes its connection at its own deadline may be noticed first, and is called INTERNAL where the
    // connection was new.
    expect([Code.DeadlineExceeded, Code.Canceled, Code.Internal]).toContain(
      ConnectError.from(echo.aborted.at(-1)).code,
    );
  });

  it('aborts the handler when the caller goes away', async () => {
    const before = echo.aborted.length;
    const abort = new AbortController();
    const call = failure(client.echo({ behaviour: 'hang' }, { signal: abort.signal }));
    await eventually(() => echo.hanging() === 1);
    abort.abort();
    expect((await call).code).toBe(Code.Canceled);
    await eventually(() => echo.aborted.length === before + 1);
    expect(echo.hanging()).toBe(0);
  });

  it('stops a stream whose reader goes away', async () => {
    const abort = new AbortController();
    const stream = client.repeat({ text: 'x', count: 0 }, { signal: abort.signal });
    const read = failure(
      (async () => {
        for await (const _ of stream) abort.abort();
      })(),
    );
    expect((await read).code).toBe(Code.Canceled);
    await eventually(() =>
      echo.log.some((entry) => String(entry['rpc']).endsWith('/Repeat') && entry['code'] === 'canceled'),
    );
  });

  it("answers the service's own errors with code, reason, metadata and retry delay", async () => {
    const error = await failure(client.echo({ behaviour: 'loud' }));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe('too loud');
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: 'TOO_LOUD', domain: 'echo.test', metadata: { decibels: '120' } },
    ]);
    expect(error.findDetails(RetryInfoSchema)).toMatchObject([
      { retryDelay: { seconds: 1n, nanos: 500_000_000 } },
    ]);
  });

  it('answers an unexpected error with INTERNAL and an id that the log has, and nothing internal', async () => {
    const error = await failure(client.echo({ text: 'x', behaviour: 'bug' }));
    expect(error.code).toBe(Code.Internal);
    expect(error.rawMessage).not.toContain('secret');
    const [info] = error.findDetails(RequestInfoSchema);
    const logged = echo.log.find((entry) => entry['request_id'] === info?.requestId);
    expect(logged).toMatchObject({ msg: 'unexpected error', err: { message: 'secret detail of x' } });
  });

  it('answers an unexpected error in a stream alike', async () => {
    const error = await failure(collect(client.repeat({ text: 'bug', count: 1 })));
    expect(error.code).toBe(Code.Internal);
    expect(error.rawMessage).not.toContain('secret');
    expect(error.findDetails(RequestInfoSchema)).toHaveLength(1);
  });

  it('refuses a field out of bounds with INVALID_ARGUMENT, naming it', async () => {
    const error = await failure(client.echo({ text: 'x'.repeat(65) }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.findDetails(BadRequestSchema)).toMatchObject([
      { fieldViolations: [{ field: 'text', description: 'must have at most 64 bytes' }] },
    ]);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe('INVALID_REQUEST');
  });

  it.runIf(side.fullDuplex)('refuses a message of a stream alike', async () => {
    const error = await failure(collect(client.chat(each({ text: 'x'.repeat(65) }))));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe('text');
  });

  it('refuses a message above the size limit with RESOURCE_EXHAUSTED', async () => {
    const error = await failure(client.echo({ text: 'x'.repeat(70_000) }));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect((await client.echo({ text: 'still here' })).text).toBe('still here');
  });

  it('logs each call with its outcome, duration, peer and the request id that came with it', async () => {
    await client.echo({ text: 'a' }, { headers: { 'x-request-id': `id-of-${side.name.length}` } });
    await eventually(() => echo.log.some((entry) => entry['request_id'] === `id-of-${side.name.length}`));
    expect(echo.log.find((entry) => entry['request_id'] === `id-of-${side.name.length}`)).toMatchObject({
      msg: 'call',
      rpc: 'optix.testing.v1.EchoService/Echo',
      code: 'ok',
      peer: '127.0.0.1',
      duration_ms: expect.any(Number) as number,
    });
  });

  it('logs an unexpected error and its call under one request id', async () => {
    const error = await failure(client.echo({ text: 'joined', behaviour: 'bug' }));
    const id = error.findDetails(RequestInfoSchema)[0]?.requestId;
    await eventually(() => echo.log.filter((entry) => entry['request_id'] === id).length === 2);
    expect(echo.log.filter((entry) => entry['request_id'] === id).map(({ msg }) => msg)).toEqual([
      'unexpected error',
      'call',
    ]);
  });

  it('returns the request id that came with a call', async () => {
    let header: Headers | undefined;
    await client.echo(
      { text: 'a' },
      {
        headers: { 'x-request-id': 'mine-1' },
        onHeader: (received) => {
          header = received;
        },
      },
    );
    expect(header?.get('x-request-id')).toBe('mine-1');
  });

  it('logs what its caller saw of a call whose handler finished too late', async () => {
    // On a busy machine other calls take long, too.
    const id = crypto.randomUUID();
    const options = { timeoutMs: 100, headers: { 'x-request-id': id } };
    await failure(client.echo({ text: 'late', behaviour: 'slow' }, options));
    const late = () =>
      echo.log.filter((entry) => entry['request_id'] === id && Number(entry['duration_ms']) >= 290);
    await eventually(() => late().length > 0);
    expect(['deadline_exceeded', 'canceled']).toContain(late().at(-1)?.['code']);
  });

  it('answers whatever a handler puts into headers and messages', async () => {
    const answer = await client.echo({ behaviour: 'umlaut' });
    expect(answer.text).toBe('sent');
    const error = await failure(client.echo({ behaviour: 'surrogate' }));
    expect(error.code).toBe(Code.FailedPrecondition);
  });

  it('never logs a request id that is no plain text', async () => {
    const id = 'x'.repeat(200);
    await client.echo({ text: 'long id' }, { headers: { 'x-request-id': id } });
    expect(JSON.stringify(echo.log)).not.toContain(id);
  });

  it('says UNIMPLEMENTED for a method that is not there', async () => {
    const ghost = { ...EchoService.method.echo, name: 'Ghost' };
    const call = side
      .transport(echo)
      .unary(ghost, undefined, undefined, undefined, create(EchoRequestSchema));
    expect((await failure(call)).code).toBe(Code.Unimplemented);
  });
});

describe.each(SIDES)('$name with caller keys', (side) => {
  let echo: RunningEcho;
  beforeAll(async () => {
    const policy = new Policy({
      rpcs: Object.fromEntries(EchoService.methods.map((method) => [methodName(method), ANY_CALLER])),
      defaultScopes: [],
    });
    const configured = new ConfiguredKeys(
      CallerKeys.parse(`gateway=${API_KEY_DIGEST}`),
      policy,
      'ECHO_CALLER_KEYS',
    );
    const authenticator = new CallerDirectory({ configured, managed: undefined, file: () => undefined });
    echo = await startEcho({
      access: new AccessControl({ domain: 'echo.test', policy, authenticator, adminRpcs: true }),
    });
  });
  afterAll(async () => {
    await echo[Symbol.asyncDispose]();
  });

  it.each([
    ['no key', undefined],
    ['a wrong key', 'Bearer wrong'],
    ['the digest instead of the key', `Bearer ${API_KEY_DIGEST}`],
    ['another scheme', `Basic ${API_KEY}`],
  ])('refuses %s before looking at the request', async (_, authorization) => {
    const client = createClient(EchoService, side.transport(echo));
    const headers = authorization === undefined ? {} : { authorization };
    const error = await failure(client.echo({ text: 'x'.repeat(65) }, { headers }));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe('CALLER_UNAUTHENTICATED');
  });

  it('refuses streams alike', async () => {
    const client = createClient(EchoService, side.transport(echo));
    const error = await failure(collect(client.repeat({ text: 'x', count: 1 })));
    expect(error.code).toBe(Code.Unauthenticated);
  });

  it('lets a known caller in and logs its name, never its key', async () => {
    const client = createClient(EchoService, side.transport(echo));
    const headers = { authorization: `Bearer ${API_KEY}` };
    expect((await client.echo({ text: 'in' }, { headers })).text).toBe('in');
    await eventually(() => echo.log.some((entry) => entry['caller'] === 'gateway'));
    expect(JSON.stringify(echo.log)).not.toContain(API_KEY);
  });
});
