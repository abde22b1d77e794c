import type * as http from 'node:http';
import type * as http2 from 'node:http2';
import { TLSSocket } from 'node:tls';
import { Code, createContextValues, type HandlerContext, type Interceptor } from '@connectrpc/connect';
import { peerAddressKey, plainAddress, reachedHandlerKey } from './call-context.ts';
import { type ClientCertificate, clientCertificateKey } from './client-certificate.ts';
import { Cors } from './cors.ts';
import { type Health, type HealthReport, PROCESS } from './health.ts';
import { httpRpcs } from './http-adapter.ts';
import { type HttpRequest, type HttpResponse, pathOf, sendError, sendJson } from './http-answers.ts';
import { explainErrors } from './http-error-details.ts';
import { capTimeouts, limitBody, refuseForm } from './http-form.ts';
import { type RouteHandler, serveRoute } from './http-route.ts';
import type { Logger } from './logger.ts';
import type { ServiceTable } from './service-table.ts';
import { verifiedCertificate } from './tls-peer.ts';

/** A request listener for either version of HTTP. */
export type NodeHandler = (
  request: http.IncomingMessage | http2.Http2ServerRequest,
  response: http.ServerResponse | http2.Http2ServerResponse,
) => void;

/** A request body that brings nothing for this long is given up. */
const BODY_TIMEOUT_MS = 60_000;

/** A GET endpoint beside the RPCs: answers a JSON value, and by it may be cached for `maxAgeSeconds`. */
export interface JsonRoute {
  readonly maxAgeSeconds: number;
  readonly answer: () => Promise<unknown> | unknown;
}

/** What the HTTP port serves. */
export interface HttpMountOptions {
  readonly services: readonly ServiceTable[];
  readonly health: Health;
  /** GET endpoints by path. */
  readonly routes?: Readonly<Record<string, JsonRoute>>;
  /** Endpoints that see their requests, by path; they take every method, and are not for pages of other origins. */
  readonly guardedRoutes?: Readonly<Record<string, RouteHandler>>;
  /** Steps that only HTTP callers see, for example response headers. */
  readonly interceptors?: readonly Interceptor[];
  readonly maxMessageBytes: number;
  readonly corsOrigins: readonly string[];
  readonly exposedHeaders?: readonly string[];
  readonly logger: Logger;
  /** Whether requests that never reach a handler are logged. */
  readonly logRefused: boolean;
  /** Told the status of each of them. */
  readonly onRefused?: (status: number) => void;
  /** Runs before anything of a request's body is read; what it throws is the answer. */
  readonly gate?: (context: HandlerContext) => void | Promise<void>;
  /** The service in error details, for example `identity.optix`; `optix` unless told. */
  readonly errorDomain?: string;
  /** How long an HTTP/2 request's body may stall, in milliseconds; a minute unless told. Streams may for ever. */
  readonly bodyTimeoutMs?: number;
}

/** Serves the tables over Connect (JSON and binary) and gRPC-Web, and the health endpoints. */
export function httpHandler(options: HttpMountOptions): NodeHandler {
  const cors = new Cors(options.corsOrigins, options.exposedHeaders ?? []);
  const domain = options.errorDomain ?? 'optix';
  const reached = new WeakSet<HttpRequest>();
  // By a Map: HTTP/2 lets `constructor` and the like be a path, which every object has a property of.
  const guardedRoutes = new Map(Object.entries(options.guardedRoutes ?? {}));
  const routes = new Map(Object.entries(options.routes ?? {}));
  const rpcs = httpRpcs(
    options.services,
    {
      grpc: false,
      readMaxBytes: options.maxMessageBytes,
      interceptors: [...(options.interceptors ?? [])],
      jsonOptions: {
        // A misspelt field would otherwise be a silently different request.
        ignoreUnknownFields: false,
        // `allowed: false` and `remaining: 0` must be there to be read, though they are their types' defaults.
        alwaysEmitImplicit: true,
      },
      requestGate(context) {
        explainErrors(context, domain);
        return options.gate?.(context);
      },
    },
    options.logger,
  );
  const serve = (request: HttpRequest, response: HttpResponse): void => {
    const path = pathOf(request);
    const rpc = rpcs.get(path);
    tellRefusal(options, reached, request, response);
    limitBody(rpc?.method, options.bodyTimeoutMs ?? BODY_TIMEOUT_MS, request);
    const guarded = guardedRoutes.get(path);
    if (guarded !== undefined) {
      // It has a line of its own in the log.
      reached.add(request);
      void serveRoute(guarded, options.logger, request, response, certificateOf(request));
      return;
    }
    if (cors.handle(request, response)) return;
    if (rpc === undefined) {
      void answerRoute(options, routes.get(path), request, response);
      return;
    }
    if (refuseForm(rpc.method, domain, request, response)) return;
    capTimeouts(request);
    const contextValues = createContextValues()
      .set(peerAddressKey, request.socket.remoteAddress)
      .set(clientCertificateKey, certificateOf(request))
      .set(reachedHandlerKey, () => reached.add(request));
    void rpc.serve(request, response, contextValues);
  };
  return (request, response) => serve(request, response as HttpResponse);
}

function certificateOf({ socket }: HttpRequest): ClientCertificate | undefined {
  return socket instanceof TLSSocket ? verifiedCertificate(socket.getPeerCertificate()) : undefined;
}

async function answerRoute(
  options: Pick<HttpMountOptions, 'health' | 'logger'>,
  route: JsonRoute | undefined,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const path = pathOf(request);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const health = healthReport(options.health, path);
  if (health === undefined && route === undefined) {
    sendError(response, 404, Code.Unimplemented, `${path} does not exist here`);
  } else if (!isRead) {
    response.setHeader('allow', 'GET, HEAD');
    sendError(response, 405, Code.Unimplemented, `${path} takes GET only`);
  } else if (health !== undefined) {
    response.setHeader('cache-control', 'no-store');
    sendJson(response, health.ok ? 200 : 503, health.body);
  } else if (route !== undefined) {
    try {
      const body = await route.answer();
      response.setHeader('cache-control', `public, max-age=${route.maxAgeSeconds}`);
      sendJson(response, 200, body);
    } catch (error) {
      options.logger.error({ err: error, path }, 'unexpected error');
      sendError(response, 503, Code.Unavailable, `${path} can't be answered at the moment`);
    }
  }
}

function healthReport(health: Health, path: string): HealthReport | undefined {
  if (path === '/health') return health.overall();
  if (path === `/health/${PROCESS}`) return { ok: true, body: { status: 'SERVING' } };
  if (path === '/health/database' || path === '/health/redis') {
    return health.component(path.slice('/health/'.length));
  }
  return undefined;
}

function tellRefusal(
  { logger, logRefused, onRefused }: Pick<HttpMountOptions, 'logger' | 'logRefused' | 'onRefused'>,
  reached: WeakSet<HttpRequest>,
  request: HttpRequest,
  response: HttpResponse,
): void {
  response.once('finish', () => {
    const path = pathOf(request);
    // Probes ask every few seconds, and the loss and return of a store is logged by itself.
    if (reached.has(request) || response.statusCode < 400 || path.startsWith('/health')) return;
    onRefused?.(response.statusCode);
    if (!logRefused) return;
    const peer = plainAddress(request.socket?.remoteAddress);
    logger.info({ method: request.method, path, status: response.statusCode, peer }, 'request refused');
  });
}
