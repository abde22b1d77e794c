import { setTimeout as sleep } from 'node:timers/promises';
import { Code, type HandlerContext } from '@connectrpc/connect';
import {
  ChatRequestSchema,
  EchoRequestSchema,
  EchoService,
} from '../gen/optix/testing/v1/echo_service_pb.ts';
import { peerAddress, requestHeader } from '../runtime/call-context.ts';
import type { AccessControl } from '../runtime/callers/access-control.ts';
import { rpcError } from '../runtime/errors.ts';
import { type GrpcServerOptions, startGrpcServer } from '../runtime/grpc-server.ts';
import { Health } from '../runtime/health.ts';
import { type HttpMountOptions, httpHandler } from '../runtime/http-mount.ts';
import { startHttpServer } from '../runtime/http-server.ts';
import { stopServing } from '../runtime/lifecycle.ts';
import { Pipeline } from '../runtime/pipeline.ts';
import { serviceTable } from '../runtime/service-table.ts';
import { requestRules } from '../runtime/validation.ts';
import { collectingLogger, type LogEntry } from './collecting-logger.ts';

/** A domain error, as a service's own would be. */
class TooLoud extends Error {}

/** An echo service on both transports, with everything that a real service has around its handlers. */
export interface RunningEcho extends AsyncDisposable {
  readonly grpcAddress: string;
  readonly httpUrl: string;
  readonly health: Health;
  /** What was logged so far. */
  readonly log: readonly LogEntry[];
  /** The reasons with which the signals of the handlers that hung were aborted. */
  readonly aborted: unknown[];
  /** How many handlers hang at this moment. */
  hanging(): number;
}

/** Starts the echo service on free ports. */
export async function startEcho(
  options: {
    readonly access?: AccessControl;
    readonly maxMessageBytes?: number;
    readonly shutdownTimeoutMs?: number;
    readonly corsOrigins?: readonly string[];
    readonly grpc?: Partial<GrpcServerOptions>;
    readonly http?: Partial<HttpMountOptions>;
  } = {},
): Promise<RunningEcho> {
  const { logger, entries } = collectingLogger();
  const aborted: unknown[] = [];
  let hanging = 0;

  const untilAborted = async (context: HandlerContext): Promise<never> => {
    hanging += 1;
    const { signal } = context;
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    hanging -= 1;
    aborted.push(signal.reason);
    throw signal.reason;
  };

  const table = serviceTable(EchoService, {
    async echo(request, context) {
      switch (request.behaviour) {
        case 'hang':
          return await untilAborted(context);
        case 'slow':
          await sleep(300);
          return { text: request.text };
        case 'bug':
          throw new Error(`secret detail of ${request.text}`);
        case 'loud':
          throw new TooLoud('too loud');
        case 'metadata':
          context.responseHeader.set('x-answer', requestHeader(context, 'x-question') ?? '');
          context.responseTrailer.set('x-end', 'bye');
          return { text: requestHeader(context, 'x-question') ?? '' };
        case 'umlaut':
          context.responseHeader.set('x-name', 'Grün');
          return { text: 'sent' };
        case 'surrogate':
          throw rpcError(Code.FailedPrecondition, {
            message: 'half a pair: \ud800',
            reason: 'HALF',
            domain: 'echo.test',
          });
        case 'peer':
          return { text: peerAddress(context) ?? '' };
        case 'timeout':
          return { text: String(context.timeoutMs()) };
        default:
          return { text: request.text };
      }
    },
    async *repeat(request, context) {
      for (let sent = 0; request.count === 0 || sent < request.count; sent += 1) {
        context.signal.throwIfAborted();
        if (request.text === 'bug') throw new Error('secret detail');
        yield { text: request.text };
        if (request.count === 0) await sleep(5, undefined, { signal: context.signal });
      }
    },
    async join(requests) {
      const texts: string[] = [];
      for await (const { text } of requests) texts.push(text);
      return { text: texts.join('') };
    },
    async *chat(requests) {
      for await (const { text } of requests) yield { text };
    },
  });

  const pipeline = new Pipeline({
    domain: 'echo.test',
    logger,
    accessLog: 'all',
    access: options.access,
    rules: [
      requestRules(EchoRequestSchema, ({ text }, violations) => violations.bytes('text', text, 64)),
      requestRules(ChatRequestSchema, ({ text }, violations) => violations.bytes('text', text, 64)),
    ],
    mapError: (error) =>
      error instanceof TooLoud
        ? rpcError(Code.FailedPrecondition, {
            message: 'too loud',
            reason: 'TOO_LOUD',
            domain: 'echo.test',
            metadata: { decibels: '120' },
            retryAfterMs: 1500,
          })
        : undefined,
  });
  const services = [pipeline.wrap(table)];
  const health = new Health([{ name: EchoService.typeName }], []);
  const maxMessageBytes = options.maxMessageBytes ?? 1_048_576;
  const address = '127.0.0.1';
  const grpc = await startGrpcServer({
    address,
    port: 0,
    portEnv: 'ECHO_GRPC_PORT',
    services,
    health: health.grpc,
    maxMessageBytes,
    keepaliveTimeMs: 60_000,
    keepaliveTimeoutMs: 20_000,
    ...options.grpc,
  });
  const http = await startHttpServer({
    address,
    port: 0,
    portEnv: 'ECHO_HTTP_PORT',
    handler: httpHandler({
      services,
      health,
      maxMessageBytes,
      corsOrigins: options.corsOrigins ?? [],
      logger,
      logRefused: true,
      gate: pipeline.gate,
      errorDomain: 'echo.test',
      ...options.http,
    }),
  });
  return {
    grpcAddress: `${address}:${grpc.port}`,
    httpUrl: `http://${address}:${http.port}`,
    health,
    log: entries,
    aborted,
    hanging: () => hanging,
    async [Symbol.asyncDispose]() {
      await stopServing({
        health,
        pipeline,
        servers: [grpc, http],
        shutdownDelayMs: 0,
        shutdownTimeoutMs: options.shutdownTimeoutMs ?? 2000,
        logger,
      });
    },
  };
}
