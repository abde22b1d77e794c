import type { CallerKeys } from './caller-auth.ts';
import type { CommonSettings } from './common-settings.ts';
import { startGrpcServer } from './grpc-server.ts';
import { Health, type ServiceHealth } from './health.ts';
import { type HttpMountOptions, httpHandler } from './http-mount.ts';
import { startHttpServer } from './http-server.ts';
import { type StartedService, stopServing } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import { type AccessLog, Pipeline, type PipelineOptions } from './pipeline.ts';
import type { ServiceTable } from './service-table.ts';
import type { StoreMonitor } from './store-monitor.ts';

/** A port and the environment variable that sets it. */
export interface PortSetting {
  readonly port: number;
  readonly env: string;
}

/** What a service is made of, apart from its own stores. */
export interface PortsOptions {
  readonly settings: CommonSettings;
  readonly grpcPort: PortSetting;
  readonly httpPort: PortSetting;
  readonly logger: Logger;
  readonly accessLog: AccessLog;
  readonly errorDomain: string;
  readonly callerKeys: CallerKeys | undefined;
  readonly tables: readonly ServiceTable[];
  readonly rules: PipelineOptions['rules'];
  readonly mapError: PipelineOptions['mapError'];
  readonly health: readonly ServiceHealth[];
  readonly monitors: readonly StoreMonitor[];
  readonly http?: Pick<HttpMountOptions, 'routes' | 'interceptors' | 'exposedHeaders'>;
}

/** A service that accepts calls. Disposing it shuts its ports down in order, then whatever else it owns. */
export interface RunningService extends StartedService {
  readonly grpcPort: number;
  readonly httpPort: number;
}

/**
 * Opens a service's two ports over one handler table.
 *
 * @throws ListenFailure where a port can't be opened; nothing stays open then.
 */
export async function startPorts(options: PortsOptions): Promise<RunningService> {
  const { settings, logger } = options;
  const pipeline = new Pipeline({
    domain: options.errorDomain,
    logger,
    accessLog: options.accessLog,
    callerKeys: options.callerKeys,
    rules: options.rules,
    mapError: options.mapError,
  });
  const services = options.tables.map((table) => pipeline.wrap(table));
  const health = new Health(options.health, options.monitors);
  using opened = new DisposableStack();
  const grpc = opened.use(
    await startGrpcServer({
      address: settings.bindAddress,
      port: options.grpcPort.port,
      portEnv: options.grpcPort.env,
      services,
      health: health.grpc,
      maxMessageBytes: settings.maxMessageBytes,
      keepaliveTimeMs: settings.keepaliveTimeMs,
      keepaliveTimeoutMs: settings.keepaliveTimeoutMs,
    }),
  );
  const http = opened.use(
    await startHttpServer({
      address: settings.bindAddress,
      port: options.httpPort.port,
      portEnv: options.httpPort.env,
      handler: httpHandler({
        services,
        health,
        maxMessageBytes: settings.maxMessageBytes,
        corsOrigins: settings.corsOrigins,
        logger,
        logRefused: options.accessLog !== 'off',
        gate: pipeline.gate,
        errorDomain: options.errorDomain,
        ...options.http,
      }),
    }),
  );
  opened.move();
  logger.info(
    {
      address: settings.bindAddress,
      grpc_port: grpc.port,
      http_port: http.port,
      environment: settings.environment,
    },
    'serving',
  );
  return {
    grpcPort: grpc.port,
    httpPort: http.port,
    logger,
    async [Symbol.asyncDispose]() {
      await stopServing({
        health,
        pipeline,
        servers: [grpc, http],
        shutdownDelayMs: settings.shutdownDelayMs,
        shutdownTimeoutMs: settings.shutdownTimeoutMs,
        logger,
      });
    },
  };
}
