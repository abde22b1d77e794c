import { CallerService } from '../gen/optix/callers/v1/caller_service_pb.ts';
import { OperationsService } from '../gen/optix/operations/v1/operations_service_pb.ts';
import type { CallerKeys } from './caller-auth.ts';
import type { CallerKeyStore } from './callers/caller-key-store.ts';
import { toCallerRpcError } from './callers/errors.ts';
import { openCallers } from './callers/open-callers.ts';
import type { Policy } from './callers/policy.ts';
import { type CommonSettings, commonSettings } from './common-settings.ts';
import { startGrpcServer } from './grpc-server.ts';
import { Health, type ServiceHealth } from './health.ts';
import { type HttpMountOptions, httpHandler } from './http-mount.ts';
import type { GuardedRoute, RouteHandler } from './http-route.ts';
import { RoutePipeline, type RoutePipelineOptions } from './http-route-pipeline.ts';
import { startHttpServer } from './http-server.ts';
import { InFlight } from './in-flight.ts';
import { type StartedService, stopServing } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics/metrics.ts';
import { metricsRoute } from './metrics/metrics-route.ts';
import { RpcMetrics } from './metrics/rpc-metrics.ts';
import { addStoreMetrics } from './metrics/store-metrics.ts';
import { toOperationsRpcError } from './operations/errors.ts';
import { LogControl } from './operations/log-control.ts';
import { addLogLevelMetric } from './operations/log-level-metric.ts';
import { operationsServiceRules, operationsServiceTable } from './operations/operations-service.ts';
import type { SlowQuerySettings } from './operations/slow-query-settings.ts';
import { type AccessLog, Pipeline, type PipelineOptions } from './pipeline.ts';
import type { ServiceTable } from './service-table.ts';
import type { StoreMonitor } from './store-monitor.ts';
import { TlsCertificates } from './tls-certificates.ts';
import type { TlsOptions } from './tls-settings.ts';
import type { Tracing } from './tracing/tracing.ts';

/** What a service is made of, apart from its own stores. */
export interface PortsOptions {
  readonly config: CommonSettings & {
    readonly grpcPort: number;
    readonly httpPort: number;
    readonly accessLog: AccessLog;
    readonly callerKeys: CallerKeys | undefined;
    /** Undefined: both ports speak cleartext. */
    readonly tls?: TlsOptions | undefined;
  };
  /** The definitions of settings, for errors to name. */
  readonly settings: {
    readonly callerKeys: { readonly env: string };
    readonly grpcPort: { readonly env: string };
    readonly httpPort: { readonly env: string };
  };
  /** What the handlers work with. Disposed of after the ports, and where these can't be opened. */
  readonly context: AsyncDisposable & {
    readonly monitors: readonly StoreMonitor[];
    /** Undefined where there is no database. */
    readonly slowQueries?: SlowQuerySettings;
  };
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Makes a span of each call; undefined: tracing is off. Outlives the ports. */
  readonly tracing?: Tracing | undefined;
  readonly errorDomain: string;
  readonly tables: readonly ServiceTable[];
  readonly rules: PipelineOptions['rules'];
  readonly mapError: PipelineOptions['mapError'];
  /** Which RPC needs which scope. */
  readonly policy: Policy;
  /** The audience of service tokens that are meant for this service. */
  readonly audience: string;
  /** Where the keys are kept that CallerService makes; undefined: it refuses. Part of the context. */
  readonly callerKeyStore: CallerKeyStore | undefined;
  readonly health: readonly ServiceHealth[];
  readonly http?: Pick<HttpMountOptions, 'routes' | 'interceptors' | 'exposedHeaders'> & {
    /** By path. */
    readonly guardedRoutes?: Readonly<Record<string, GuardedRoute>>;
  };
}

/** A service that accepts calls. Disposing it shuts its ports down in order, then its context. */
export interface RunningService extends StartedService {
  readonly grpcPort: number;
  readonly httpPort: number;
}

/**
 * Opens a service's two ports over one handler table, CallerService and OperationsService included.
 *
 * @throws ListenFailure where a port can't be opened, InvalidSettings where the callers can't be read; nothing stays open
 *   then.
 */
export async function startPorts(options: PortsOptions): Promise<RunningService> {
  const { config, settings, logger } = options;
  await using owned = new AsyncDisposableStack();
  owned.use(options.tracing);
  owned.use(options.context);
  const callers = owned.use(
    await openCallers({
      config,
      env: { callerKeys: settings.callerKeys.env, callersFile: commonSettings.callersFile.env },
      errorDomain: options.errorDomain,
      policy: options.policy,
      audience: options.audience,
      keyStore: options.callerKeyStore,
      logger,
    }),
  );
  const common: Omit<RoutePipelineOptions, 'inFlight'> = {
    domain: options.errorDomain,
    logger,
    accessLog: config.accessLog,
    access: callers.access,
    mapError: (error) =>
      options.mapError(error) ??
      toCallerRpcError(error, options.errorDomain) ??
      toOperationsRpcError(error, options.errorDomain),
  };
  const inFlight = new InFlight();
  const { tracing } = options;
  const metrics = new RpcMetrics(options.metrics, inFlight);
  addStoreMetrics(options.metrics, options.context.monitors);
  addLogLevelMetric(options.metrics, logger);
  const logControl = owned.use(new LogControl({ logger, slowQueries: options.context.slowQueries }));
  const counted = { ...common, metrics, inFlight };
  const pipeline = new Pipeline({
    ...counted,
    rules: [...options.rules, ...callers.rules, ...operationsServiceRules],
  });
  const routes = new RoutePipeline(counted);
  const services = [...options.tables, callers.table, operationsServiceTable(logControl)].map((table) => {
    const guarded = pipeline.wrap(table);
    return tracing === undefined ? guarded : tracing.wrap(guarded);
  });
  const health = new Health(
    [
      ...options.health,
      {
        name: CallerService.typeName,
        ready: () => options.health.every((service) => service.ready?.() !== false),
      },
      // Needs no store.
      { name: OperationsService.typeName },
    ],
    options.context.monitors,
  );
  const certificates = config.tls && owned.use(new TlsCertificates(config.tls, logger));
  using opened = new DisposableStack();
  const grpc = opened.use(
    await startGrpcServer({
      address: config.bindAddress,
      port: config.grpcPort,
      portEnv: settings.grpcPort.env,
      services,
      health: health.grpc,
      maxMessageBytes: config.maxMessageBytes,
      keepaliveTimeMs: config.keepaliveTimeMs,
      keepaliveTimeoutMs: config.keepaliveTimeoutMs,
      maxConnectionAgeMs: config.maxConnectionAgeMs,
      certificates,
    }),
  );
  const http = opened.use(
    await startHttpServer({
      address: config.bindAddress,
      port: config.httpPort,
      portEnv: settings.httpPort.env,
      certificates,
      handler: httpHandler({
        services,
        health,
        maxMessageBytes: config.maxMessageBytes,
        corsOrigins: config.corsOrigins,
        logger,
        logRefused: config.accessLog !== 'off',
        onRefused: (status) => metrics.refused(status),
        gate: pipeline.gate,
        errorDomain: options.errorDomain,
        ...options.http,
        guardedRoutes: {
          ...guardedRoutes(options.http?.guardedRoutes ?? {}, routes, tracing),
          ...metricsRoutes(config.metrics, options.metrics, common),
        },
      }),
    }),
  );
  opened.move();
  logger.info(
    {
      address: config.bindAddress,
      grpc_port: grpc.port,
      http_port: http.port,
      tls: certificates !== undefined,
      environment: config.environment,
    },
    'serving',
  );
  owned.defer(
    async () =>
      await stopServing({
        health,
        pipeline,
        servers: [grpc, http],
        shutdownDelayMs: config.shutdownDelayMs,
        shutdownTimeoutMs: config.shutdownTimeoutMs,
        logger,
      }),
  );
  const parts = owned.move();
  return {
    grpcPort: grpc.port,
    httpPort: http.port,
    logger,
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  };
}

function guardedRoutes(
  given: Readonly<Record<string, GuardedRoute>>,
  pipeline: RoutePipeline,
  tracing: Tracing | undefined,
): Record<string, RouteHandler> {
  return Object.fromEntries(
    Object.entries(given).map(([path, route]) => {
      const guarded = pipeline.wrap(route);
      return [path, tracing === undefined ? guarded : tracing.wrapRoute(route.policyEntry, guarded)];
    }),
  );
}

/** Scrapes are neither counted as calls nor traced. */
function metricsRoutes(
  who: CommonSettings['metrics'],
  metrics: Metrics,
  common: Omit<RoutePipelineOptions, 'inFlight'>,
): Record<string, RouteHandler> {
  if (who === 'off') return {};
  const access = who === 'open' ? undefined : common.access;
  const pipeline = new RoutePipeline({ ...common, access, inFlight: new InFlight() });
  return { '/metrics': pipeline.wrap(metricsRoute(metrics)) };
}
