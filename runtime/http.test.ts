import * as http2 from 'node:http2';
import * as net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BadRequestSchema, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { EchoService } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { type RunningEcho, startEcho } from '../testing/echo-service.ts';
import { startHttpServer } from './http-server.ts';

const ECHO = '/optix.testing.v1.EchoService/Echo';
const REPEAT = '/optix.testing.v1.EchoService/Repeat';
const STREAM_TYPE = { 'content-type': 'application/connect+proto' };
/** The largest count of int32, as a varint. */
const ENDLESS = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07]);
const JSON_TYPE = { 'content-type': 'application/json' };

describe('the HTTP port', () => {
  let echo: RunningEcho;
  beforeAll(async () => {
    echo = await startEcho({ corsOrigins: ['https://app.example.com'] });
  });
  afterAll(async () => {
    await echo[Symbol.asyncDispose]();
  });

  const post = async (path: string, body: string, headers: Record<string, string> = JSON_TYPE) =>
    await fetch(`${echo.httpUrl}${path}`, { method: 'POST', headers, body });

  it('answers JSON to JSON', async () => {
    const response = await post(ECHO, '{"text":"hi"}');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ text: 'hi' });
  });

  it('ends a call at the deadline that the caller sent', async () => {
    const response = await post(ECHO, '{"behaviour":"hang"}', { ...JSON_TYPE, 'connect-timeout-ms': '50' });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: 'deadline_exceeded' });
  });

  it.each([
    ['JSON that is cut off', '{"text":'],
    ['JSON of another shape', '{"text":{"a":1}}'],
    ['no JSON at all', 'text=hi'],
    ['an empty body', ''],
  ])('refuses %s as invalid_argument', async (_, body) => {
    const response = await post(ECHO, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_argument' });
  });

  it('refuses bytes that are no message as invalid_argument, as the gRPC port does', async () => {
    const response = await fetch(`${echo.httpUrl}${ECHO}`, {
      method: 'POST',
      headers: { 'content-type': 'application/proto' },
      body: Buffer.from([0xff, 0xff]),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_argument' });
  });

  it('refuses a field that does not exist, naming it', async () => {
    const response = await post(ECHO, '{"txet":"hi"}');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('txet') as string,
    });
  });

  it.each([['text/plain'], ['application/xml'], ['application/grpc'], ['']])(
    'refuses content type "%s" and says what would do',
    async (type) => {
      const response = await post(ECHO, '{"text":"hi"}', { 'content-type': type });
      expect(response.status).toBe(415);
      expect(await response.json()).toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('application/json') as string,
      });
    },
  );

  it('refuses GET on an RPC', async () => {
    const response = await fetch(`${echo.httpUrl}${ECHO}`);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
  });

  it.each([['/optix.testing.v1.EchoService/Nothing'], ['/nowhere.Service/Echo'], ['/']])(
    'answers 404 with code unimplemented for POST %s',
    async (path) => {
      const response = await post(path, '{}');
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'unimplemented' });
    },
  );

  it('logs what never reached a handler', async () => {
    await post('/nowhere.Service/Logged', '{}');
    await expect
      .poll(() => echo.log.find((entry) => entry['path'] === '/nowhere.Service/Logged'))
      .toMatchObject({ msg: 'request refused', status: 404, method: 'POST' });
  });

  it('speaks cleartext HTTP/2 on the same port, even when the preface comes byte by byte', async () => {
    const { port } = new URL(echo.httpUrl);
    const socket = net.connect(Number(port), '127.0.0.1');
    const trickled = slowStart(socket, 30);
    const session = http2.connect(echo.httpUrl, { createConnection: () => trickled });
    const request = session.request({ ':method': 'POST', ':path': ECHO, ...JSON_TYPE });
    request.end('{"text":"two"}');
    let body = '';
    for await (const chunk of request) body += String(chunk);
    expect(JSON.parse(body)).toEqual({ text: 'two' });
    session.close();
  });

  it('survives garbage, a reset and a truncated body', async () => {
    const { port } = new URL(echo.httpUrl);
    for (const bytes of ['\x00\xff\x16\x03\x01', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage', 'PRI']) {
      await sendAndClose(Number(port), bytes);
    }
    const head = `POST ${ECHO} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"te`;
    await sendAndClose(Number(port), head);
    expect((await post(ECHO, '{"text":"alive"}')).status).toBe(200);
  });

  it('lets pages of a listed origin call, and no others', async () => {
    const preflight = async (origin: string) =>
      await fetch(`${echo.httpUrl}${ECHO}`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    const allowed = await preflight('https://app.example.com');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(allowed.headers.get('access-control-allow-headers')).toContain('Connect-Protocol-Version');
    const refused = await preflight('https://evil.example.com');
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();

    const call = await post(ECHO, '{}', { ...JSON_TYPE, origin: 'https://app.example.com' });
    expect(call.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(call.headers.get('vary')).toBe('Origin');
  });

  it('returns the request id of the caller', async () => {
    const response = await post(ECHO, '{}', { ...JSON_TYPE, 'x-request-id': 'abc-1' });
    expect(response.headers.get('x-request-id')).toBe('abc-1');
  });
});

describe('the HTTP port, against requests that are out of form', () => {
  let echo: RunningEcho;
  beforeAll(async () => {
    echo = await startEcho({ maxMessageBytes: 1000, http: { errorDomain: 'echo.test' } });
  });
  afterAll(async () => {
    await echo[Symbol.asyncDispose]();
  });
  const post = async (path: string, type: string, body: string | Uint8Array, headers = {}) =>
    await fetch(`${echo.httpUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': type, ...headers },
      body: typeof body === 'string' ? body : new Uint8Array(body),
    });
  const ASK = 'content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}';

  it.each([
    ['an unfinished address', 'HTTP/1.1\r\nhost: ['],
    ['an empty Host', 'HTTP/1.1\r\nhost:'],
    ['a port beyond the last', 'HTTP/1.1\r\nhost: x:99999'],
    ['no Host, over HTTP/1.0', 'HTTP/1.0'],
  ])('answers 400 to %s, and lives on', async (_, head) => {
    const answer = await exchange(echo, `POST ${ECHO} ${head}\r\n${ASK}`);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('Host');
    expect((await post(ECHO, 'application/json', '{}')).status).toBe(200);
  });

  it('answers 400 to an HTTP/2 authority that is no host', async () => {
    const session = http2.connect(echo.httpUrl);
    const request = session.request({ ':method': 'POST', ':path': ECHO, ':authority': '[', ...JSON_TYPE });
    request.end('{}');
    const status = await new Promise((resolve, reject) => {
      request.on('response', (headers) => resolve(headers[':status']));
      request.on('error', reject);
    });
    expect(status).toBe(400);
    session.destroy();
  });

  const detail = async (response: Response) => {
    const { details } = (await response.json()) as { details: { type: string; debug?: unknown }[] };
    return Object.fromEntries(details.map(({ type, debug }) => [type, debug]));
  };
  const info = (reason: string) => ({
    'google.rpc.ErrorInfo': expect.objectContaining({ reason, domain: 'echo.test' }) as unknown,
  });

  it.each([
    ['cut off', '{"text":', undefined],
    ['with an unknown field', '{"txet":"hi"}', 'txet'],
    ['with a field of another type', '{"text":{"a":1}}', 'text'],
  ])('gives details about JSON that is %s', async (_, body, field) => {
    const found = await detail(await post(ECHO, 'application/json', body));
    expect(found).toMatchObject(info('INVALID_REQUEST'));
    const violation = { fieldViolations: [expect.objectContaining({ field }) as unknown] };
    if (field === undefined) expect(found).not.toHaveProperty(['google.rpc.BadRequest']);
    else expect(found['google.rpc.BadRequest']).toMatchObject(violation);
  });

  it.each([
    ['a number', '{"text":987654}', /^cannot decode field \S+\.text from JSON: expected string$/],
    ['a text in place of a message', '"s3cret"', /^cannot decode message \S+ from JSON/],
    ['what is cut off', '{"text":"s3cret', /^cannot decode message \S+ from JSON: not valid JSON/],
    ['what is no JSON', '{"text":s3cret}', /^cannot decode message \S+ from JSON/],
    ['an unknown field', '{"txet":"s3cret"}', /key "txet" is unknown$/],
  ])('says what is wrong with %s, and does not repeat it', async (_, body, message) => {
    const response = await post(ECHO, 'application/json', body);
    const text = await response.text();
    expect(text).not.toMatch(/s3cret|987654/);
    expect((JSON.parse(text) as { message: string }).message).toMatch(message);
  });

  it('gives details about a message that is too large', async () => {
    const response = await post(ECHO, 'application/json', JSON.stringify({ text: 'x'.repeat(2000) }));
    expect(response.status).toBe(429);
    expect(await detail(response)).toMatchObject(info('MESSAGE_TOO_LARGE'));
  });

  it.each([
    ['gRPC-Web', createGrpcWebTransport],
    ['Connect', createConnectTransport],
  ])('gives the same details over %s, for single messages and streams', async (_, transport) => {
    const client = createClient(EchoService, transport({ baseUrl: echo.httpUrl, httpVersion: '2' }));
    const text = 'x'.repeat(2000);
    const calls = [
      client.echo({ text }),
      Array.fromAsync(client.repeat({ text, count: 1 })),
      client.join(
        (async function* () {
          yield { text };
        })(),
      ),
    ];
    for (const outcome of await Promise.allSettled(calls)) {
      const error = ConnectError.from(outcome.status === 'rejected' ? outcome.reason : undefined);
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'MESSAGE_TOO_LARGE' }]);
      expect(error.findDetails(BadRequestSchema)).toEqual([]);
    }
  });

  it.each([
    [ECHO, 'application/connect+json'],
    [ECHO, 'application/grpc-web-text'],
    [ECHO, 'application/json; charset=latin1'],
    [ECHO, 'application/proto; x=y'],
    [REPEAT, 'application/json'],
    [REPEAT, 'application/proto'],
  ])('refuses for %s the content type %s, and says what would do', async (path, type) => {
    const response = await post(path, type, '{}');
    expect(response.status).toBe(415);
    const expected = path === ECHO ? 'application/json or' : 'application/connect+json or';
    expect(await response.json()).toMatchObject({ message: expect.stringContaining(expected) as string });
  });

  it.each([['application/json;charset=UTF-8'], ['Application/JSON']])('takes %s', async (type) => {
    expect((await post(ECHO, type, '{}')).status).toBe(200);
  });

  it('takes deadlines that no timer can wait for', async () => {
    const timeout = { 'connect-timeout-ms': '3000000000' };
    const response = await post(ECHO, 'application/json', '{"behaviour":"slow"}', timeout);
    expect(response.status).toBe(200);

    const asked = Buffer.concat([frameHead(6), Buffer.from('\x12\x04slow')]);
    const web = await post(ECHO, 'application/grpc-web+proto', asked, { 'grpc-timeout': '99999999H' });
    expect(await web.text()).toMatch(/grpc-status: 0/);
  });

  it('asks the gate before it reads the body', async () => {
    const refusal = new ConnectError('who are you?', Code.Unauthenticated);
    await using guarded = await startEcho({
      http: {
        gate: () => {
          throw refusal;
        },
      },
    });
    const response = await fetch(`${guarded.httpUrl}${ECHO}`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: '{"',
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'unauthenticated', message: 'who are you?' });
  });
});

describe('the HTTP port, with peers that stall or go away', () => {
  const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const SETTINGS = '\0\0\0\x04\0\0\0\0\0';
  const FIN_WITHIN_MS = 1000;

  it.each([
    ['an HTTP/2 connection', PREFACE + SETTINGS],
    ['a connection that never spoke', ''],
  ])('closes %s whose peer has closed', async (_, bytes) => {
    await using echo = await startEcho();
    const socket = await connect(echo);
    if (bytes !== '') socket.write(bytes, 'latin1');
    await sleep(50);
    const closed = ended(socket);
    socket.end();
    expect(await Promise.race([closed, sleep(FIN_WITHIN_MS, 'open', { ref: false })])).toBe('closed');
  });

  it('closes an HTTP/2 connection without requests, pings or not', async () => {
    using server = await startHttpServer({
      address: '127.0.0.1',
      port: 0,
      portEnv: 'ECHO_HTTP_PORT',
      handler: (_, response) => setTimeout(() => response.end(), 300),
      idleTimeoutMs: 100,
    });
    const session = http2.connect(`http://127.0.0.1:${server.port}`);
    const closed = new Promise((resolve) => session.once('close', () => resolve('closed')));
    const request = session.request({ ':path': '/' });
    // The answer takes longer than the idle time-out.
    await new Promise((resolve, reject) => request.resume().on('end', resolve).on('error', reject));
    const pings = setInterval(() => session.closed || session.ping(() => undefined), 30);
    expect(await Promise.race([closed, sleep(1500, 'open', { ref: false })])).toBe('closed');
    clearInterval(pings);
  });

  it('gives up an HTTP/2 body that stalls, but no stream and no call that was fully sent', async () => {
    await using echo = await startEcho({ http: { bodyTimeoutMs: 100 } });
    const session = http2.connect(echo.httpUrl);
    const ask = (path: string, type: string) => {
      const request = session.request({ ':method': 'POST', ':path': path, 'content-type': type });
      request.on('error', () => undefined).resume();
      return request;
    };
    const stalled = ask(ECHO, 'application/json');
    stalled.write('{');
    const chat = ask('/optix.testing.v1.EchoService/Chat', 'application/connect+json');
    chat.write(frameHead(2));
    const hanging = ask(ECHO, 'application/json');
    hanging.end('{"behaviour":"hang"}');
    await expect.poll(() => stalled.closed).toBe(true);
    await sleep(300);
    expect(chat.closed).toBe(false);
    expect(hanging.closed).toBe(false);
    session.destroy();
  });

  it.each([
    ['says nothing', ''],
    ['sent half a request head', 'GET /health HTTP/1.1\r\nhost: x\r\n'],
    ['sent nothing but the HTTP/2 preface', PREFACE],
  ])('drains at once though a peer %s', async (_, bytes) => {
    using server = await startHttpServer({
      address: '127.0.0.1',
      port: 0,
      portEnv: 'ECHO_HTTP_PORT',
      handler: (_request, response) => response.end(),
    });
    const socket = await connect({ httpUrl: `http://127.0.0.1:${server.port}` });
    if (bytes !== '') socket.write(bytes, 'latin1');
    await sleep(50);
    const drained = server.drain().then(() => 'drained');
    expect(await Promise.race([drained, sleep(1000, 'still waiting', { ref: false })])).toBe('drained');
    socket.destroy();
  });

  it('answers a request in flight before it shuts down', async () => {
    const echo = await startEcho();
    const answer = fetch(`${echo.httpUrl}${ECHO}`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: '{"behaviour":"slow","text":"late"}',
    });
    await sleep(100);
    await echo[Symbol.asyncDispose]();
    expect(await (await answer).json()).toEqual({ text: 'late' });
  });

  it.each([['HTTP/2'], ['HTTP/1.1']])(
    'ends a call over %s whose reader is stuck and then gone',
    async (version) => {
      const printed = vi.spyOn(console, 'error').mockImplementation(() => undefined);
      await using echo = await startEcho();
      const body = Buffer.concat([frameHead(68), Buffer.from(`\n\x3c${'x'.repeat(60)}\x10`), ENDLESS]);
      if (version === 'HTTP/2') {
        const session = http2.connect(echo.httpUrl);
        const request = session.request({ ':method': 'POST', ':path': REPEAT, ...STREAM_TYPE });
        request.on('error', () => undefined).end(body);
        await sleep(300);
        session.destroy();
      } else {
        const socket = await connect(echo);
        socket.pause();
        const head = `POST ${REPEAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/connect+proto\r\n`;
        socket.write(`${head}content-length: ${body.length}\r\n\r\n`);
        socket.write(body);
        await sleep(400);
        socket.destroy();
      }
      await expect.poll(() => echo.log.filter(({ msg }) => msg === 'call').length).toBe(1);
      await sleep(50);
      expect(printed).not.toHaveBeenCalled();
      expect(echo.log.filter(({ msg }) => msg === 'unexpected error')).toEqual([]);
      printed.mockRestore();
    },
  );

  it('survives readers of a slow page that do not wait', async () => {
    const answer = async () => await sleep(100, {});
    await using echo = await startEcho({ http: { routes: { '/slow': { maxAgeSeconds: 1, answer } } } });
    const session = http2.connect(echo.httpUrl);
    const request = session.request({ ':path': '/slow' }).on('error', () => undefined);
    await sleep(50);
    request.close(http2.constants.NGHTTP2_CANCEL);
    await sleep(150);
    session.destroy();
    expect((await fetch(`${echo.httpUrl}/slow`)).status).toBe(200);
    expect(echo.log.filter(({ msg }) => msg === 'unexpected error')).toEqual([]);
  });
});

/** The head of an enveloped message (Connect streams, gRPC-Web). */
function frameHead(length: number): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return head;
}

async function connect(echo: Pick<RunningEcho, 'httpUrl'>): Promise<net.Socket> {
  const port = Number(new URL(echo.httpUrl).port);
  return await new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(socket));
    socket.on('error', () => undefined);
  });
}

/** Resolves once the other side has closed. */
async function ended(socket: net.Socket): Promise<'closed'> {
  await new Promise((resolve) => socket.once('end', resolve).once('close', resolve).resume());
  return 'closed';
}

async function exchange(echo: RunningEcho, bytes: string): Promise<string> {
  const socket = await connect(echo);
  socket.write(bytes);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

/** Sends the first `count` bytes one by one, as a slow network might cut them. */
function slowStart(socket: net.Socket, count: number): net.Socket {
  const write = socket.write.bind(socket);
  socket.setNoDelay(true);
  socket.write = ((chunk: Buffer | string, ...rest: unknown[]) => {
    const bytes = Buffer.from(chunk as string);
    const head = Math.min(count, bytes.length);
    for (let at = 0; at < head; at += 1) write(bytes.subarray(at, at + 1));
    return (write as (...args: unknown[]) => boolean)(bytes.subarray(head), ...rest);
  }) as typeof socket.write;
  return socket;
}

async function sendAndClose(port: number, bytes: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(bytes, 'latin1');
      setTimeout(() => socket.resetAndDestroy(), 30);
    });
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
}
