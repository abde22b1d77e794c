import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { onTestFinished } from 'vitest';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import type { ClientTls } from '../clients/grpc/tls-credentials.ts';
import { EchoService } from '../gen/optix/testing/v1/echo_service_pb.ts';
import { type CertificateContent, makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { collectingLogger } from '../testing/collecting-logger.ts';
import { clientCertificateOf } from './client-certificate.ts';
import { startGrpcServer } from './grpc-server.ts';
import { Health } from './health.ts';
import { httpHandler } from './http-mount.ts';
import { startHttpServer } from './http-server.ts';
import { serviceTable } from './service-table.ts';
import { TlsCertificates } from './tls-certificates.ts';
import type { TlsOptions } from './tls-settings.ts';

const GATEWAY: CertificateContent = { names: ['DNS:gateway.example', 'URI:spiffe://example/gateway'] };

let directory: string;
const file = (name: string) => join(directory, name);

/** The content of a file that {@link makeTestCertificates} made, for example `authority.crt`. */
export const read = (name: string) => readFileSync(file(name));

/** Makes what the tests of a file need; to be removed by {@link removeTestCertificates}. */
export function makeTestCertificates(): void {
  directory = mkdtempSync(join(tmpdir(), 'optix-tls-ports-'));
  for (const name of ['authority', 'stranger']) makeAuthority(directory, name);
  makeCertificate(directory, 'server', 'authority');
  makeCertificate(directory, 'gateway', 'authority', GATEWAY);
  makeCertificate(directory, 'strange', 'stranger', GATEWAY);
  makeCertificate(directory, 'ended', 'authority', { ...GATEWAY, days: -1 });
}

export function removeTestCertificates(): void {
  rmSync(directory, { recursive: true });
}

/** A table whose Echo answers with the certificate that it was called with, on both ports with TLS. */
export async function startTlsPorts(change: Partial<TlsOptions> = {}) {
  const { logger } = collectingLogger();
  let calls = 0;
  const options: TlsOptions = {
    certFile: file('server.crt'),
    keyFile: file('server.key'),
    clientCaFile: change.clientAuth === undefined ? undefined : file('authority.crt'),
    clientAuth: 'off',
    minVersion: 'TLSv1.2',
    ...change,
  };
  const certificates = new TlsCertificates(options, logger);
  const services = [
    serviceTable(EchoService, {
      async echo({ behaviour }, context) {
        calls += 1;
        if (behaviour === 'slow') await new Promise((resolve) => setTimeout(resolve, 300));
        return { text: JSON.stringify(clientCertificateOf(context) ?? null) };
      },
      async *repeat({ text }, context) {
        for (;;) {
          context.signal.throwIfAborted();
          yield { text };
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
      join: async () => ({ text: '' }),
      async *chat() {
        yield { text: '' };
      },
    }),
  ];
  const health = new Health([{ name: EchoService.typeName }], []);
  const common = { address: '127.0.0.1', port: 0, certificates };
  const maxMessageBytes = 1_048_576;
  const grpc = await startGrpcServer({
    ...common,
    portEnv: 'GRPC_PORT',
    services,
    health: health.grpc,
    maxMessageBytes,
    keepaliveTimeMs: 60_000,
    keepaliveTimeoutMs: 20_000,
  });
  const handler = httpHandler({
    services,
    health,
    maxMessageBytes,
    corsOrigins: [],
    logger,
    logRefused: false,
  });
  const http = await startHttpServer({ ...common, portEnv: 'HTTP_PORT', handler });
  onTestFinished(async () => {
    grpc[Symbol.dispose]();
    http[Symbol.dispose]();
    await certificates[Symbol.asyncDispose]();
  });
  return { grpc, http, calls: () => calls };
}

/** Ports with TLS. */
export type TlsPorts = Awaited<ReturnType<typeof startTlsPorts>>;

/** What a client shows and whom it trusts. */
export function clientTls(certificate: string | undefined, authority = 'authority'): ClientTls {
  const shown = certificate && { cert: read(`${certificate}.crt`), key: read(`${certificate}.key`) };
  return { ca: read(`${authority}.crt`), ...(shown === undefined || shown === '' ? {} : shown) };
}

/** The ways to call the ports. */
export const TLS_TRANSPORTS = ['gRPC', 'HTTP/1.1', 'HTTP/2'] as const;

/** A client of one of the ports. */
export function echoClient(ports: TlsPorts, name: (typeof TLS_TRANSPORTS)[number], options: ClientTls) {
  if (name === 'gRPC') {
    const transport = createGrpcTransport({
      address: `127.0.0.1:${ports.grpc.port}`,
      tls: options,
      defaultTimeoutMs: 2000,
    });
    onTestFinished(() => transport[Symbol.dispose]());
    return createClient(EchoService, transport);
  }
  const baseUrl = `https://127.0.0.1:${ports.http.port}`;
  const { ca, cert, key } = options;
  const nodeOptions = cert === undefined ? { ca } : { ca, cert, key };
  return createClient(
    EchoService,
    createConnectTransport({
      baseUrl,
      httpVersion: name === 'HTTP/2' ? '2' : '1.1',
      nodeOptions,
      defaultTimeoutMs: 2000,
    } as never),
  );
}
