import {
  logVerbosity,
  Server,
  type ServerOptions,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { HealthImplementation } from 'grpc-health-check';
import { listenInClear } from './grpc-listener.ts';
import { mountOnGrpc } from './grpc-mount.ts';
import { reflectionOf } from './grpc-reflection.ts';
import { listenFailure } from './listen-failure.ts';
import type { ServiceTable } from './service-table.ts';
import type { TlsCertificates } from './tls-certificates.ts';
import { listenWithTls } from './tls-grpc-listener.ts';

/**
 * How long calls go on on a connection that takes no new ones, in milliseconds: longer than the limiter's client stays
 * with a stream, by default.
 */
const CONNECTION_GRACE_MS = 120_000;

// grpc-js writes lines of its own to standard error, past the log: a taken port, say, which is also an error here.
setLogVerbosity(logVerbosity.NONE);

/** What a gRPC port serves and how. */
export interface GrpcServerOptions {
  readonly address: string;
  readonly port: number;
  /** The setting that names the port, for the error when it is taken. */
  readonly portEnv: string;
  readonly services: readonly ServiceTable[];
  readonly health: HealthImplementation;
  readonly maxMessageBytes: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  /** How long a connection takes new calls, in milliseconds; 0 or undefined: for ever. */
  readonly maxConnectionAgeMs?: number | undefined;
  /** The port speaks TLS only; undefined: cleartext only. */
  readonly certificates?: TlsCertificates | undefined;
}

/** A gRPC port that accepts calls. */
export interface RunningGrpcServer {
  readonly port: number;
  /** Takes no new calls; resolves once those in flight have ended. */
  drain(): Promise<void>;
  /** Cuts off whatever is still open. */
  [Symbol.dispose](): void;
}

/**
 * Serves the tables over gRPC, with grpc.health.v1 and server reflection (v1 and v1alpha).
 *
 * @throws Error naming `portEnv` where the port is taken.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<RunningGrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.keepalive_time_ms': options.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs,
    ...connectionAge(options.maxConnectionAgeMs),
    // Counters of each call, socket and message for a service that this port does not offer.
    'grpc.enable_channelz': 0,
  });
  const streams = new EndlessStreams();
  for (const table of options.services) mountOnGrpc(server, table);
  options.health.addToServer(streams.tracking(server));
  reflectionOf(options.services.map((table) => table.service)).addToServer(streams.tracking(server));

  const { certificates, port, portEnv } = options;
  const host = options.address.includes(':') ? `[${options.address}]` : options.address;
  const failed = (error: unknown) => listenFailure(error, portEnv, `${host}:${port}`);
  const listening = certificates
    ? listenWithTls(server, { address: options.address, port, portEnv, certificates })
    : listenInClear(server, { address: options.address, port });
  const listener = await listening.catch((error: unknown) => {
    throw failed(error);
  });
  return {
    port: listener.port,
    async drain() {
      streams.end();
      const closed = listener.close();
      await new Promise<void>((resolve, reject) => {
        server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)));
      });
      await closed;
    },
    [Symbol.dispose]() {
      server.forceShutdown();
      listener.destroy();
    },
  };
}

function connectionAge(maxMs: number | undefined): ServerOptions {
  if (maxMs === undefined || maxMs === 0) return {};
  return { 'grpc.max_connection_age_ms': maxMs, 'grpc.max_connection_age_grace_ms': CONNECTION_GRACE_MS };
}

interface EndableCall {
  end(): void;
  on(event: 'cancelled' | 'close', listener: () => void): unknown;
}

/**
 * The streams of health watchers and of reflection, which nobody ends: a drain would wait for them until it ran out
 * of time. They are registered through here so that it can end them.
 */
class EndlessStreams {
  readonly #open = new Set<EndableCall>();

  /** A server to register a service on, whose streaming methods are remembered while they are open. */
  tracking(server: Server): Server {
    return new Proxy(server, {
      get: (target, property) => {
        if (property !== 'addService') return Reflect.get(target, property) as unknown;
        return (service: ServiceDefinition, implementation: UntypedServiceImplementation) => {
          target.addService(service, this.#remember(service, implementation));
        };
      },
    });
  }

  #remember(
    service: ServiceDefinition,
    implementation: UntypedServiceImplementation,
  ): UntypedServiceImplementation {
    const remembering: UntypedServiceImplementation = { ...implementation };
    for (const [name, definition] of Object.entries(service)) {
      const key = [name, definition.originalName ?? name].find((candidate) => candidate in implementation);
      if (!definition.responseStream || key === undefined) continue;
      const handler = implementation[key] as (call: EndableCall) => void;
      remembering[key] = ((call: EndableCall) => {
        this.#open.add(call);
        for (const event of ['cancelled', 'close'] as const) call.on(event, () => this.#open.delete(call));
        handler(call);
      }) as never;
    }
    return remembering;
  }

  end(): void {
    for (const call of this.#open) call.end();
    this.#open.clear();
  }
}
