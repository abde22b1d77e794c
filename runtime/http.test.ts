import * as http2 from 'node:http2';
import * as net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningEcho, startEcho } from '../testing/echo-service.ts';

const ECHO = '/optix.testing.v1.EchoService/Echo';
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
