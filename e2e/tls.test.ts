import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import * as tls from 'node:tls';
import { Code, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { type Client, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import type { ClientTls } from '../clients/grpc/tls-credentials.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { TokenService } from '../gen/optix/identity/v1/token_service_pb.ts';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { InvalidSettings } from '../runtime/settings.ts';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { createTestDatabase } from '../testing/database.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';

const CHECK = { endpoint: 'orders', identifier: 'user:1' };
/** What README promises, and docs/tls.md. */
const RELOAD_MS = 5_000;

let directory: string;
const file = (name: string) => join(directory, name);
const read = (name: string) => readFileSync(file(name));

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-e2e-tls-'));
  for (const name of ['authority', 'stranger']) makeAuthority(directory, name);
  for (const name of ['one', 'two', 'identity', 'backend']) makeCertificate(directory, name, 'authority');
  makeCertificate(directory, 'intruder', 'stranger');
  makeCertificate(directory, 'ended', 'authority', { days: -1 });
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => install('one'));

/** Puts a certificate and its key where the services look for them. */
function install(name: string): void {
  copyFileSync(file(`${name}.crt`), file('tls.crt'));
  copyFileSync(file(`${name}.key`), file('tls.key'));
}

const TLS = () => ({ TLS_CERT_FILE: file('tls.crt'), TLS_KEY_FILE: file('tls.key') });
const MUTUAL = (clientAuth: 'required' | 'optional') => ({
  ...TLS(),
  TLS_CLIENT_AUTH: clientAuth,
  TLS_CLIENT_CA_FILE: file('authority.crt'),
});

function as(certificate?: string): ClientTls {
  const ca = read('authority.crt');
  return certificate === undefined
    ? { ca }
    : { ca, cert: read(`${certificate}.crt`), key: read(`${certificate}.key`) };
}

const portOf = (service: TestService) => Number(new URL(service.httpUrl).port);

const WAYS = ['gRPC', 'HTTP/1.1', 'HTTP/2'] as const;

function transportTo(service: TestService, way: (typeof WAYS)[number], options: ClientTls) {
  if (way === 'gRPC') {
    const transport = createGrpcTransport({
      address: service.grpcAddress,
      tls: options,
      defaultTimeoutMs: 3000,
    });
    onTestFinished(() => transport[Symbol.dispose]());
    return transport;
  }
  const { ca, cert, key } = options;
  const nodeOptions = cert === undefined ? { ca } : { ca, cert, key };
  const common = {
    baseUrl: `https://127.0.0.1:${portOf(service)}`,
    defaultTimeoutMs: 3000,
    useBinaryFormat: false,
  };
  return way === 'HTTP/2'
    ? createConnectTransport({ ...common, httpVersion: '2', nodeOptions } as never)
    : createConnectTransport({ ...common, httpVersion: '1.1', nodeOptions } as never);
}

const limiter = (service: TestService, way: (typeof WAYS)[number], certificate?: string) =>
  createClient(RateLimitService, transportTo(service, way, as(certificate)));

/** The common name of the certificate that a new connection is shown. */
async function shown(port: number, ALPNProtocols: string[]): Promise<string | string[] | undefined> {
  const socket = tls.connect({ host: '127.0.0.1', port, ca: read('authority.crt'), ALPNProtocols });
  onTestFinished(() => {
    socket.destroy();
  });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return name;
}

describe('a service with TLS', () => {
  it.each(WAYS)('answers over %s', async (way) => {
    await using service = await startTestRateLimit(TLS());
    expect((await limiter(service, way).checkLimit(CHECK)).allowed).toBe(true);
    expect(service.log).toContainEqual(expect.objectContaining({ msg: 'serving', tls: true }));
  });

  it('is identity as well, with what it answers to a GET', async () => {
    await using database = await createTestDatabase();
    await using service = await startTestIdentity({ ...TLS(), DATABASE_URL: database.url });
    for (const way of WAYS) {
      const tokens = createClient(TokenService, transportTo(service, way, as()));
      expect((await tokens.getJwks({})).keys).toEqual(expect.any(Array));
    }
    const path = '/.well-known/jwks.json';
    const ca = read('authority.crt');
    const one = await new Promise<unknown>((resolve, reject) => {
      https
        .get({ host: '127.0.0.1', port: portOf(service), path, ca }, (response) => resolve(json(response)))
        .once('error', reject);
    });
    const session = http2.connect(`https://127.0.0.1:${portOf(service)}`, { ca });
    const two = JSON.parse(await text(session.request({ ':path': path })));
    session.close();
    expect(one).toEqual({ keys: expect.any(Array) });
    expect(two).toEqual(one);
  });

  it('still tells tools by reflection what it serves', async () => {
    await using service = await startTestRateLimit(TLS());
    const proto = createRequire(import.meta.url).resolve(
      '@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto',
    );
    const definition = loadPackageDefinition(loadSync(proto, { keepCase: true })) as unknown as {
      grpc: { reflection: { v1: { ServerReflection: new (...args: unknown[]) => Client } } };
    };
    const client = new definition.grpc.reflection.v1.ServerReflection(
      service.grpcAddress,
      credentials.createSsl(read('authority.crt')),
    );
    onTestFinished(() => client.close());
    const stream = (
      client as unknown as Record<
        string,
        () => AsyncIterable<unknown> & { write(message: unknown): void; end(): void }
      >
    )['ServerReflectionInfo']?.();
    stream?.write({ list_services: '*' });
    stream?.end();
    const answers = stream === undefined ? [] : await Array.fromAsync(stream);
    expect(JSON.stringify(answers)).toContain('optix.ratelimit.v1.RateLimitService');
  });

  it('answers nobody in cleartext', async () => {
    await using service = await startTestRateLimit(TLS());
    await expect(fetch(`${service.httpUrl}/health`)).rejects.toThrow();
    const cleartext = createGrpcTransport({ address: service.grpcAddress, defaultTimeoutMs: 3000 });
    onTestFinished(() => cleartext[Symbol.dispose]());
    const refused = createClient(RateLimitService, cleartext).checkLimit(CHECK);
    await expect(refused).rejects.toMatchObject({ code: Code.Unavailable });
  });

  it('does not start with files that do not belong together, or that are not there', async () => {
    const start = async (change: Record<string, string>) => {
      await using _service = await startTestRateLimit({ ...TLS(), ...change });
    };
    await expect(start({ TLS_KEY_FILE: file('two.key') })).rejects.toThrow(
      new InvalidSettings(['TLS_KEY_FILE must hold the private key of the certificate in TLS_CERT_FILE']),
    );
    await expect(start({ TLS_CERT_FILE: file('nowhere') })).rejects.toThrow(/^TLS_CERT_FILE .*ENOENT/);
  });
});

describe.each(WAYS)('client certificates over %s', (way) => {
  it('that are required let in those of the authority and nobody else', async () => {
    await using service = await startTestRateLimit(MUTUAL('required'));
    expect((await limiter(service, way, 'backend').checkLimit(CHECK)).allowed).toBe(true);
    for (const certificate of [undefined, 'intruder', 'ended']) {
      await expect(limiter(service, way, certificate).checkLimit(CHECK)).rejects.toThrow();
    }
  });

  it('that are optional let in those without, and not those with a bad one', async () => {
    await using service = await startTestRateLimit(MUTUAL('optional'));
    for (const certificate of [undefined, 'backend']) {
      expect((await limiter(service, way, certificate).checkLimit(CHECK)).allowed).toBe(true);
    }
    for (const certificate of ['intruder', 'ended']) {
      await expect(limiter(service, way, certificate).checkLimit(CHECK)).rejects.toThrow();
    }
    expect(service.log).toContainEqual(
      expect.objectContaining({ msg: 'TLS handshake failed', peer: '127.0.0.1', reason: expect.any(String) }),
    );
  });
});

describe('a new certificate', () => {
  it('is shown to new connections within five seconds, and calls on those that are open go on', async () => {
    await using service = await startTestRateLimit(TLS());
    const port = portOf(service);
    const grpc = limiter(service, 'gRPC');
    await grpc.checkLimit(CHECK);
    const session = http2.connect(`https://127.0.0.1:${port}`, { ca: read('authority.crt') });
    onTestFinished(() => session.destroy());
    let asked = 0;
    async function* endless() {
      for (;;) {
        asked += 1;
        yield { items: [{ id: asked, check: CHECK }] };
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    const stop = new AbortController();
    const stream = grpc.streamCheckLimits(endless(), { signal: stop.signal })[Symbol.asyncIterator]();
    await stream.next();
    const replacedAt = performance.now();
    install('two');
    await vi.waitFor(async () => expect(await shown(port, ['h2'])).toBe('two'), {
      timeout: RELOAD_MS,
      interval: 50,
    });
    expect(await shown(Number(service.grpcAddress.split(':')[1]), ['h2'])).toBe('two');
    expect(performance.now() - replacedAt).toBeLessThan(RELOAD_MS);
    const before = asked;
    while (asked < before + 3) expect((await stream.next()).done).toBe(false);
    stop.abort();
    await stream.next().catch(() => undefined);
    expect((await grpc.checkLimit(CHECK)).limit).toBeGreaterThan(0);
    expect(JSON.parse(await text(session.request({ ':path': '/health' })))).toMatchObject({
      status: 'SERVING',
    });
    expect(service.log).toContainEqual(
      expect.objectContaining({
        msg: 'TLS certificate read anew',
        expires: expect.any(String),
        days_left: 0,
      }),
    );
  });

  it('of which only one file is there yet is kept out, with one line in the log', async () => {
    await using service = await startTestRateLimit(TLS());
    copyFileSync(file('two.crt'), file('tls.crt'));
    const refusals = () =>
      service.log.filter(({ msg }) => String(msg).startsWith('the TLS files are refused'));
    await vi.waitFor(() => expect(refusals()).toHaveLength(1), { timeout: RELOAD_MS, interval: 50 });
    expect(await shown(portOf(service), ['h2'])).toBe('one');
    copyFileSync(file('two.key'), file('tls.key'));
    await vi.waitFor(async () => expect(await shown(portOf(service), ['h2'])).toBe('two'), {
      timeout: RELOAD_MS,
    });
    expect(refusals()).toHaveLength(1);
  });
});

it('a shutdown lets calls over TLS finish', async () => {
  const service = await startTestRateLimit(TLS());
  const grpc = limiter(service, 'gRPC');
  const http = limiter(service, 'HTTP/2');
  await Promise.all([grpc.checkLimit(CHECK), http.checkLimit(CHECK)]);
  const calls = Promise.all(
    Array.from({ length: 50 }, (_, call) => (call % 2 === 0 ? grpc : http).checkLimit(CHECK)),
  );
  // Those are on their way; what reaches the service after it stopped would be refused.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startedAt = performance.now();
  await service[Symbol.asyncDispose]();
  expect(performance.now() - startedAt).toBeLessThan(3000);
  expect(await calls).toHaveLength(50);
});

describe('identity and the rate limiter', () => {
  const register = async (limiterService: TestService, change: Record<string, string>) => {
    await using database = await createTestDatabase();
    await using identity = await startTestIdentity({
      ...TLS(),
      DATABASE_URL: database.url,
      RATELIMIT_ADDRESS: limiterService.grpcAddress,
      RATELIMIT_TIMEOUT_MS: '3000',
      RATELIMIT_TLS: 'on',
      RATELIMIT_TLS_CA_FILE: file('authority.crt'),
      RATELIMIT_TLS_CERT_FILE: file('identity.crt'),
      RATELIMIT_TLS_KEY_FILE: file('identity.key'),
      ...change,
    });
    const auth = createClient(AuthenticationService, transportTo(identity, 'gRPC', as()));
    await auth.register({
      email: 'a@example.com',
      password: 'correct horse battery',
      firstName: 'A',
      lastName: 'B',
    });
  };

  it('speak mutual TLS', async () => {
    await using service = await startTestRateLimit({ ...MUTUAL('required'), RATELIMIT_ACCESS_LOG: 'all' });
    await register(service, {});
    const calls = service.log.filter(({ msg, code }) => msg === 'call' && code === 'ok');
    expect(calls.length).toBeGreaterThan(0);
  });

  it.each([
    ['a limiter of another authority', { RATELIMIT_TLS_CA_FILE: 'stranger.crt' }],
    [
      'a limiter that does not know the certificate',
      { RATELIMIT_TLS_CERT_FILE: 'intruder.crt', RATELIMIT_TLS_KEY_FILE: 'intruder.key' },
    ],
  ])('do not: %s', async (_, change) => {
    await using service = await startTestRateLimit(MUTUAL('required'));
    const absolute = Object.entries(change).map(([name, path]) => [name, file(path)]);
    await expect(register(service, Object.fromEntries(absolute))).rejects.toMatchObject({
      code: Code.Unavailable,
    });
  });
});
