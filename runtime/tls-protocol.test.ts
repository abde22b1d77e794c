import { spawn } from 'node:child_process';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import * as net from 'node:net';
import { text } from 'node:stream/consumers';
import * as tls from 'node:tls';
import { Code, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { EchoService } from '../gen/optix/testing/v1/echo_service_pb.ts';
import {
  clientTls,
  echoClient,
  makeTestCertificates,
  read,
  removeTestCertificates,
  startTlsPorts,
  TLS_TRANSPORTS,
} from './tls-testing-ports.ts';

beforeAll(makeTestCertificates);
afterAll(removeTestCertificates);

describe('a port with TLS', () => {
  it('speaks HTTP/2 or HTTP/1.1 as the client chooses by ALPN, HTTP/1.1 without a choice, nothing else', async () => {
    const { http } = await startTlsPorts();
    const chosen = async (ALPNProtocols?: string[]) =>
      await new Promise((resolve, reject) => {
        const socket = tls.connect({
          host: '127.0.0.1',
          port: http.port,
          ca: read('authority.crt'),
          ...(ALPNProtocols && { ALPNProtocols }),
        });
        socket.once('error', reject);
        socket.once('secureConnect', () => {
          resolve(socket.alpnProtocol);
          socket.destroy();
        });
      });
    expect(await chosen(['http/1.1', 'h2'])).toBe('h2');
    expect(await chosen(['http/1.1'])).toBe('http/1.1');
    expect(await chosen()).toBe(false);
    await expect(chosen(['spdy/3'])).rejects.toThrow(/no application protocol/);
  });

  it('answers https requests with either version', async () => {
    const { http } = await startTlsPorts();
    const ca = read('authority.crt');
    const one = await new Promise<string>((resolve, reject) => {
      https
        .get({ host: '127.0.0.1', port: http.port, path: '/health', ca }, (response) =>
          resolve(text(response)),
        )
        .on('error', reject);
    });
    const session = http2.connect(`https://127.0.0.1:${http.port}`, { ca });
    const two = await text(session.request({ ':path': '/health' }));
    session.close();
    expect(JSON.parse(one)).toMatchObject({ status: 'SERVING' });
    expect(JSON.parse(two)).toEqual(JSON.parse(one));
  });

  it('speaks no cleartext', async () => {
    const { grpc, http } = await startTlsPorts();
    for (const { port } of [grpc, http]) {
      const socket = net.connect(port, '127.0.0.1', () =>
        socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'),
      );
      expect(await text(socket)).not.toContain('HTTP/1.1');
    }
    const cleartext = createGrpcTransport({ address: `127.0.0.1:${grpc.port}`, defaultTimeoutMs: 2000 });
    onTestFinished(() => cleartext[Symbol.dispose]());
    await expect(createClient(EchoService, cleartext).echo({})).rejects.toMatchObject({
      code: Code.Unavailable,
    });
  });

  it.each([
    ['TLS 1.1', {}, ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], /alert|no protocols|wrong version/],
    [
      'a cipher without forward secrecy',
      {},
      ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'],
      /handshake failure/,
    ],
    [
      'a cipher without authenticated encryption',
      {},
      ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA'],
      /handshake failure/,
    ],
    [
      'TLS 1.2 where TLS_MIN_VERSION=1.3',
      { minVersion: 'TLSv1.3' as const },
      ['-tls1_2'],
      /protocol version/,
    ],
  ])('refuses %s', async (_, change, args, message) => {
    const { grpc, http } = await startTlsPorts(change);
    for (const { port } of [grpc, http]) expect(await openssl(port, args, '')).toMatch(message);
  });

  it('refuses renegotiation that a client asks for', async () => {
    const { http } = await startTlsPorts();
    expect(await openssl(http.port, ['-tls1_2', '-alpn', 'http/1.1'], 'R\n')).toMatch(/no renegotiation/i);
  });
});

/** What `openssl s_client` says of a connection. */
async function openssl(port: number, args: readonly string[], input: string): Promise<string> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args]);
  child.stdin.on('error', () => undefined);
  const said = text(child.stderr);
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk;
    // Then the handshake is done, and what is typed is heard.
    if (shown.includes('---\n') && input !== '') child.stdin.write(input);
  });
  const timer = setTimeout(() => child.stdin.end(), 1500);
  if (input === '') child.stdin.end();
  const result = await said;
  clearTimeout(timer);
  child.kill();
  return result;
}

describe('a drain', () => {
  it.each(TLS_TRANSPORTS)('lets a call over %s finish, and closes what is idle', async (transport) => {
    const ports = await startTlsPorts();
    const server = transport === 'gRPC' ? ports.grpc : ports.http;
    const idle = tls.connect({
      host: '127.0.0.1',
      port: server.port,
      ca: read('authority.crt'),
      ALPNProtocols: ['h2'],
    });
    idle.resume();
    idle.on('error', () => undefined);
    await new Promise((resolve) => idle.once('secureConnect', resolve));
    const client = echoClient(ports, transport, clientTls(undefined));
    await client.echo({});
    const slow = client.echo({ behaviour: 'slow' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const drained = server.drain();
    expect((await slow).text).toBe('null');
    await drained;
  });

  it('cuts off, at the end, connections in the middle of their handshake', async () => {
    const { grpc, http } = await startTlsPorts();
    for (const server of [grpc, http]) {
      const socket = net.connect(server.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('connect', resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      const drained = server.drain();
      server[Symbol.dispose]();
      await Promise.all([closed, drained]);
    }
  });
});
