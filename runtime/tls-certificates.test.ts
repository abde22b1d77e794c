import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { collectingLogger } from '../testing/collecting-logger.ts';
import { TlsCertificates } from './tls-certificates.ts';
import type { TlsOptions } from './tls-settings.ts';

const READ_EVERY_MS = 20;
const within5s = { timeout: 5_000, interval: 10 };

let directory: string;
const file = (name: string) => join(directory, name);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-certificates-'));
  for (const authority of ['authority', 'other']) makeAuthority(directory, authority);
  for (const name of ['one', 'two']) makeCertificate(directory, name, 'authority', { days: 90 });
  makeCertificate(directory, 'short', 'authority', { days: 13 });
  makeCertificate(directory, 'ended', 'authority', { days: -1 });
  makeCertificate(directory, 'client', 'authority');
  makeCertificate(directory, 'client-of-other', 'other');
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  install('one');
  copyFileSync(file('authority.crt'), file('ca.pem'));
});

/** Puts a certificate and its key where the server looks for them. */
function install(name: string): void {
  copyFileSync(file(`${name}.crt`), file('tls.crt'));
  copyFileSync(file(`${name}.key`), file('tls.key'));
}

/** A server that keeps its certificate, and what clients see of it. */
async function serving(change: Partial<TlsOptions> = {}) {
  const { logger, entries } = collectingLogger();
  const options: TlsOptions = {
    certFile: file('tls.crt'),
    keyFile: file('tls.key'),
    clientCaFile: undefined,
    clientAuth: 'off',
    minVersion: 'TLSv1.2',
    ...change,
  };
  const certificates = new TlsCertificates(options, logger, READ_EVERY_MS);
  const server = tls.createServer(certificates.serverOptions(['echo']));
  certificates.serve(server, 'TEST_PORT', (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  onTestFinished(async () => {
    server.close();
    await certificates[Symbol.asyncDispose]();
  });
  /** A connection that was answered on: with TLS 1.3 a client can believe in one that the server refused. */
  const connect = async (extra: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      ca: readFileSync(file('authority.crt')),
      ALPNProtocols: ['echo'],
      ...extra,
    });
    onTestFinished(() => {
      socket.destroy();
    });
    await echoed(socket);
    return socket;
  };
  return {
    connect,
    subject: async () => (await connect()).getPeerCertificate().subject.CN,
    messages: () => entries.map(({ msg }) => msg),
    entries,
  };
}

async function echoed(socket: tls.TLSSocket): Promise<string> {
  return await new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.once('data', (data) => resolve(String(data)));
    socket.write('hello');
  });
}

it('shows a new certificate to new connections, while those that are open go on', async () => {
  const server = await serving();
  const open = await server.connect();
  install('two');
  await vi.waitFor(async () => expect(await server.subject()).toBe('two'), within5s);
  expect(await echoed(open)).toBe('hello');
  expect(open.getPeerCertificate().subject.CN).toBe('one');
  expect(server.messages()).toEqual(['TLS certificate', 'TLS certificate read anew']);
  expect(server.entries[1]).toMatchObject({
    fingerprint256: expect.stringMatching(/^[0-9a-f]{64}$/),
    expires: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    days_left: 89,
  });
});

it('keeps least version and refusal of renegotiation with the new certificate', async () => {
  const server = await serving({ minVersion: 'TLSv1.3' });
  install('two');
  await vi.waitFor(async () => expect(await server.subject()).toBe('two'), within5s);
  await expect(server.connect({ maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/);
});

it('keeps out a pair of which one half is new, says so once, and takes it when it is whole', async () => {
  const server = await serving();
  copyFileSync(file('two.crt'), file('tls.crt'));
  await vi.waitFor(() => expect(server.messages()).toHaveLength(2), within5s);
  await new Promise((resolve) => setTimeout(resolve, 10 * READ_EVERY_MS));
  expect(server.messages().slice(1)).toEqual(['the TLS files are refused: the certificate stays as it was']);
  expect(server.entries[1]?.['problem']).toBe(
    'TLS_KEY_FILE must hold the private key of the certificate in TLS_CERT_FILE',
  );
  expect(await server.subject()).toBe('one');
  copyFileSync(file('two.key'), file('tls.key'));
  await vi.waitFor(async () => expect(await server.subject()).toBe('two'), within5s);
});

it.each([
  ['that is cut off', () => writeFileSync(file('tls.crt'), readFileSync(file('two.crt')).subarray(0, 200))],
  ['that is empty', () => writeFileSync(file('tls.crt'), '')],
  ['that is gone', () => rmSync(file('tls.crt'))],
  ['that has ended', () => install('ended')],
])('keeps out a certificate %s', async (_, spoil) => {
  const server = await serving();
  spoil();
  await vi.waitFor(() => expect(server.messages()).toHaveLength(2), within5s);
  expect(server.messages()[1]).toBe('the TLS files are refused: the certificate stays as it was');
  expect(await server.subject()).toBe('one');
});

it('takes a new client authority and drops the old one', async () => {
  const server = await serving({ clientAuth: 'required', clientCaFile: file('ca.pem') });
  const as = (name: string) => ({
    cert: readFileSync(file(`${name}.crt`)),
    key: readFileSync(file(`${name}.key`)),
  });
  const tickets: Buffer[] = [];
  const open = await server.connect(as('client'));
  open.on('session', (ticket) => tickets.push(ticket));
  await expect(server.connect(as('client-of-other'))).rejects.toThrow();
  copyFileSync(file('other.crt'), file('ca.pem'));
  await vi.waitFor(async () => await server.connect(as('client-of-other')), within5s);
  await expect(server.connect(as('client'))).rejects.toThrow();
  // A session from before would bring its verified certificate along.
  for (const session of [open.getSession(), ...tickets]) {
    await expect(server.connect({ ...as('client'), session })).rejects.toThrow();
  }
  expect(await echoed(open)).toBe('hello');
});

it('resumes no session where a certificate of the client decides', async () => {
  const server = await serving({ clientAuth: 'required', clientCaFile: file('ca.pem') });
  const client = { cert: readFileSync(file('client.crt')), key: readFileSync(file('client.key')) };
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    let session: Buffer | undefined;
    const first = await server.connect({ ...client, maxVersion });
    session = first.getSession();
    first.on('session', (ticket) => {
      session = ticket;
    });
    await echoed(first);
    const second = await server.connect({ ...client, maxVersion, session });
    expect(second.isSessionReused()).toBe(false);
  }
});

it.each([
  ['warn', 'soon', 'short', 'the TLS certificate expires soon'],
  ['error', 'already', 'ended', 'the TLS certificate has expired'],
])('logs at %s where the certificate ends %s', async (level, _, name, message) => {
  install(name);
  const server = await serving();
  expect(server.messages()).toEqual(['TLS certificate', message]);
  expect(server.entries[1]?.['level']).toBe(level === 'warn' ? 40 : 50);
});

it.each([
  ['required', 'client-of-other', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['optional', 'client-of-other', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['required', 'ended', 'CERT_HAS_EXPIRED'],
] as const)('logs why a certificate is not accepted where it is %s: %s', async (clientAuth, name, reason) => {
  const server = await serving({ clientAuth, clientCaFile: file('ca.pem') });
  const shown = { cert: readFileSync(file(`${name}.crt`)), key: readFileSync(file(`${name}.key`)) };
  await expect(server.connect(shown)).rejects.toThrow();
  const failure = () => server.entries.find(({ msg }) => msg === 'TLS handshake failed');
  await vi.waitFor(() => expect(failure()).toMatchObject({ port: 'TEST_PORT', reason }), within5s);
});

it('logs why a handshake failed, not more than once a second', async () => {
  const server = await serving({ clientAuth: 'required', clientCaFile: file('ca.pem') });
  for (let times = 0; times < 5; times++) await expect(server.connect()).rejects.toThrow();
  const failures = server.entries.filter(({ msg }) => msg === 'TLS handshake failed');
  expect(failures.length).toBeLessThan(3);
  expect(failures[0]).toMatchObject({ port: 'TEST_PORT', reason: expect.stringMatching(/CERT/) });
});
