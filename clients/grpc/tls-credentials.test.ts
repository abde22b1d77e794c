import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, createClient } from '@connectrpc/connect';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EchoService } from '../../gen/optix/testing/v1/echo_service_pb.ts';
import { makeAuthority, makeCertificate } from '../../testing/certificates.ts';
import { createGrpcTransport } from './grpc-transport.ts';
import { type ClientTls, tlsCredentials } from './tls-credentials.ts';

let directory: string;
let server: Server;
let port: number;
const read = (name: string) => readFileSync(join(directory, name));

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'optix-client-tls-'));
  for (const name of ['authority', 'stranger']) makeAuthority(directory, name);
  makeCertificate(directory, 'server', 'authority', { names: ['DNS:limiter.example'] });
  makeCertificate(directory, 'client', 'authority');
  server = new Server();
  const pair = { cert_chain: read('server.crt'), private_key: read('server.key') };
  const required = ServerCredentials.createSsl(read('authority.crt'), [pair], true);
  port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', required, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
});
afterAll(() => {
  server.forceShutdown();
  rmSync(directory, { recursive: true });
});

/** What comes of a call to a server that has no services: UNIMPLEMENTED where the connection stands. */
async function outcome(tls: ClientTls | true): Promise<Code> {
  using transport = createGrpcTransport({ address: `127.0.0.1:${port}`, tls, defaultTimeoutMs: 3000 });
  const call = createClient(EchoService, transport).echo({});
  return await call.then(
    () => 0 as Code,
    ({ code }) => code as Code,
  );
}

const own = () => ({ cert: read('client.crt'), key: read('client.key') });

describe('a client with TLS', () => {
  it('trusts the authority that it is given, for the name that it is given, and shows its certificate', async () => {
    const tls = { ca: read('authority.crt'), ...own(), serverName: 'limiter.example' };
    expect(await outcome(tls)).toBe(Code.Unimplemented);
    const asText = { ...tls, ca: String(tls.ca), cert: String(tls.cert), key: String(tls.key) };
    expect(await outcome(asText)).toBe(Code.Unimplemented);
  });

  it('trusts no server under another name, by default the host of the address', async () => {
    const tls = { ca: read('authority.crt'), ...own() };
    expect(await outcome(tls)).toBe(Code.Unavailable);
    expect(await outcome({ ...tls, serverName: 'other.example' })).toBe(Code.Unavailable);
  });

  it('trusts no other authority, and of itself only those that Node knows', async () => {
    const named = { ...own(), serverName: 'limiter.example' };
    expect(await outcome({ ...named, ca: read('stranger.crt') })).toBe(Code.Unavailable);
    expect(await outcome(named)).toBe(Code.Unavailable);
    expect(await outcome(true)).toBe(Code.Unavailable);
  });

  it('is refused without the certificate that the server requires', async () => {
    expect(await outcome({ ca: read('authority.crt'), serverName: 'limiter.example' })).toBe(
      Code.Unavailable,
    );
  });

  it('is not made of half a pair', () => {
    const { cert, key } = own();
    for (const half of [{ cert }, { key }]) expect(() => tlsCredentials(half)).toThrow(TypeError);
  });
});
