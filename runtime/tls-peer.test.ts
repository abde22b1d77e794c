import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CertificateContent, makeAuthority, makeCertificate } from '../testing/certificates.ts';
import type { ClientCertificate } from './client-certificate.ts';
import { alternativeNames, rememberClient, verifiedCertificate } from './tls-peer.ts';

let directory: string;
const read = (name: string) => readFileSync(join(directory, name), 'utf8');

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-peer-'));
  makeAuthority(directory, 'authority');
  makeAuthority(directory, 'stranger');
  makeCertificate(directory, 'server', 'authority');
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What a server finds out about a client that shows this certificate, and whether it lets the client in. */
async function shown(
  name: string,
): Promise<{ admitted: boolean; certificate: ClientCertificate | undefined }> {
  const ca = read('authority.crt');
  const server = tls.createServer({
    cert: read('server.crt'),
    key: read('server.key'),
    ca,
    requestCert: true,
    rejectUnauthorized: false,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const found = new Promise<{ admitted: boolean; certificate: ClientCertificate | undefined }>((resolve) => {
    server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined);
      const admitted = rememberClient(socket);
      const [first, second] = [socket.getPeerCertificate(), socket.getPeerCertificate()];
      if (admitted && socket.authorized) expect(first).toBe(second);
      resolve({ admitted, certificate: verifiedCertificate(first) });
    });
  });
  const client = tls.connect({
    host: '127.0.0.1',
    port,
    ca,
    ...(name === '' ? {} : { cert: read(`${name}.crt`), key: read(`${name}.key`) }),
  });
  client.on('error', () => undefined);
  const result = await found;
  client.destroy();
  server.close();
  return result;
}

async function certificateWith(content: CertificateContent): Promise<ClientCertificate | undefined> {
  makeCertificate(directory, 'client', 'authority', content);
  return (await shown('client')).certificate;
}

describe('the certificate of a client', () => {
  it('is known by fingerprint, common name and alternative names', async () => {
    const certificate = await certificateWith({
      subject: '/O=Example/CN=gateway',
      names: ['DNS:gateway.example', 'URI:spiffe://example/gateway', 'IP:127.0.0.1', 'DNS:b.example'],
    });
    expect(certificate).toEqual({
      fingerprint256: expect.stringMatching(/^[0-9a-f]{64}$/),
      commonName: 'gateway',
      dnsNames: ['gateway.example', 'b.example'],
      uris: ['spiffe://example/gateway'],
      endsAt: new X509Certificate(read('client.crt')).validToDate.getTime(),
    });
  });

  it('may have no names at all', async () => {
    expect(await certificateWith({ subject: '/O=Example', names: [] })).toMatchObject({
      commonName: null,
      dnsNames: [],
      uris: [],
    });
  });

  it('has no common name where it has several', async () => {
    expect(await certificateWith({ subject: '/CN=gateway/CN=admin' })).toMatchObject({ commonName: null });
  });

  it.each([
    ['a DNS name that holds another entry', ['DNS:x.example, URI:spiffe://example/admin']],
    ['a URI that holds another entry', ['URI:spiffe://x/, DNS:admin.example']],
    ['a DNS name with a quote', ['DNS:x", URI:spiffe://example/admin, DNS:"y']],
  ])('is not misled by %s', async (_, names) => {
    const found = await certificateWith({ names });
    expect(found?.uris).not.toContain('spiffe://example/admin');
    expect(found?.dnsNames).not.toContain('admin.example');
  });

  it('keeps a comma that is part of a URI', async () => {
    const certificate = await certificateWith({ names: ['URI:spiffe://example/a,b'] });
    expect(certificate?.uris).toEqual(['spiffe://example/a,b']);
  });

  it('is nothing where another authority made it, and the connection is not to be used', async () => {
    makeCertificate(directory, 'strange', 'stranger');
    expect(await shown('strange')).toEqual({ admitted: false, certificate: undefined });
  });

  it('need not be there', async () => {
    expect(await shown('')).toEqual({ admitted: true, certificate: undefined });
  });
});

describe('alternativeNames', () => {
  it.each([
    ['', []],
    ['DNS:a', [['DNS', 'a']]],
    [
      'DNS:a, IP Address:0:0:0:0:0:0:0:1',
      [
        ['DNS', 'a'],
        ['IP Address', '0:0:0:0:0:0:0:1'],
      ],
    ],
    [
      'URI:"a\\u002cb", DNS:c',
      [
        ['URI', 'a,b'],
        ['DNS', 'c'],
      ],
    ],
    ['DNS:"a\\u0000b", DNS:c', [['DNS', 'c']]],
    ['DNS:a,DNS:b', []],
    ['DNS:a, ', []],
    ['DNS:"a', []],
    ['DNS:a"b', []],
    ['DNS:"a"b', []],
    ['DNS:"\\q"', []],
    ['nothing', []],
  ])('reads %j', (text, expected) => {
    expect(alternativeNames(text).map(({ type, value }) => [type, value])).toEqual(expected);
  });
});
