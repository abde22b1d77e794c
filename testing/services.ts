import { readdirSync } from 'node:fs';
import type { DescService } from '@bufbuild/protobuf';
import { createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { createGrpcTransport } from '../clients/grpc/grpc-transport.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { IdentityService } from '../gen/optix/identity/v1/identity_service_pb.ts';
import { TokenService } from '../gen/optix/identity/v1/token_service_pb.ts';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import type { RunningService } from '../runtime/start-ports.ts';
import { startIdentity } from '../services/identity/service.ts';
import { startRateLimit } from '../services/ratelimit/service.ts';
import { collectingLogger, type LogEntry } from './collecting-logger.ts';

/** The transports that every service answers on alike. */
export const TRANSPORTS = ['gRPC', 'HTTP'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** A service in this process, on free ports. */
export interface TestService extends AsyncDisposable {
  readonly grpcAddress: string;
  readonly httpUrl: string;
  readonly log: readonly LogEntry[];
  transport(name: TransportName): Transport;
  /** The JSON of a GET on the HTTP port, with its status. */
  get(path: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Starts the rate limiter with these settings. */
export async function startTestRateLimit(env: Env = {}): Promise<TestService> {
  const { logger, entries } = collectingLogger();
  const ports = { RATELIMIT_GRPC_PORT: '0', RATELIMIT_HTTP_PORT: '0' };
  return testService(await startRateLimit({ ...ports, ...env }, { logger }), entries);
}

/** Starts identity with these settings; DATABASE_URL is required. */
export async function startTestIdentity(env: Env): Promise<TestService> {
  const { logger, entries } = collectingLogger();
  const ports = { IDENTITY_GRPC_PORT: '0', IDENTITY_HTTP_PORT: '0' };
  return testService(await startIdentity({ ...ports, ...env }, { logger }), entries);
}

function testService(running: RunningService, log: readonly LogEntry[]): TestService {
  const grpcAddress = `127.0.0.1:${running.grpcPort}`;
  const httpUrl = `http://127.0.0.1:${running.httpPort}`;
  const grpc = createGrpcTransport({ address: grpcAddress });
  const http = createConnectTransport({ baseUrl: httpUrl, httpVersion: '1.1', useBinaryFormat: false });
  return {
    grpcAddress,
    httpUrl,
    log,
    transport: (name) => (name === 'gRPC' ? grpc : http),
    async get(path) {
      const response = await fetch(`${httpUrl}${path}`);
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    async [Symbol.asyncDispose]() {
      grpc[Symbol.dispose]();
      await running[Symbol.asyncDispose]();
    },
  };
}

/** Clients of all of identity's services over one transport. */
export function identityClients(service: TestService, name: TransportName) {
  const transport = service.transport(name);
  return {
    users: createClient(IdentityService, transport),
    auth: createClient(AuthenticationService, transport),
    tokens: createClient(TokenService, transport),
  };
}

/** A client of the rate limiter over one transport. */
export function rateLimitClient(service: TestService, name: TransportName) {
  return createClient(RateLimitService, service.transport(name));
}

/**
 * The services that the contracts of a package define, for example of `optix/ratelimit/v1`: of all its files, so that
 * none can be forgotten.
 */
export async function servicesOf(contracts: string): Promise<readonly DescService[]> {
  const directory = new URL(`../gen/${contracts}/`, import.meta.url);
  const files = readdirSync(directory).filter((name) => name.endsWith('_pb.ts'));
  const modules = await Promise.all(files.map((name) => import(new URL(name, directory).href)));
  return modules.flatMap((module: object) => Object.values(module)).filter(isService);
}

function isService(value: unknown): value is DescService {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'service';
}
