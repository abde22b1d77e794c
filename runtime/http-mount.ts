import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { Code, createContextValues, type Interceptor } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { peerAddressKey, reachedHandlerKey } from './call-context.ts';
import { Cors } from './cors.ts';
import type { Health, HealthReport } from './health.ts';
import type { Logger } from './logger.ts';
import { methodName, type ServiceTable } from './service-table.ts';

type Request = IncomingMessage | Http2ServerRequest;
/** Node's two kinds of response have the methods used here in common, which their union's types do not show. */
type Response = ServerResponse;

/** A request listener for either version of HTTP. */
export type NodeHandler = ReturnType<typeof connectNodeAdapter>;

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
  /** Steps that only HTTP callers see, for example response headers. */
  readonly interceptors?: readonly Interceptor[];
  readonly maxMessageBytes: number;
  readonly corsOrigins: readonly string[];
  readonly exposedHeaders?: readonly string[];
  readonly logger: Logger;
  /** Whether requests that never reach a handler are logged. */
  readonly logRefused: boolean;
}

/** Serves the tables over Connect (JSON and binary) and gRPC-Web, and the health endpoints. */
export function httpHandler(options: HttpMountOptions): NodeHandler {
  const cors = new Cors(options.corsOrigins, options.exposedHeaders ?? []);
  const reached = new WeakSet<Request>();
  const rpcPaths = new Set(
    options.services.flatMap(({ service }) => service.methods.map((method) => `/${methodName(method)}`)),
  );
  const rpc = connectNodeAdapter({
    grpc: false,
    readMaxBytes: options.maxMessageBytes,
    interceptors: [...(options.interceptors ?? [])],
    jsonOptions: {
      // A misspelt field would otherwise be a silently different request.
      ignoreUnknownFields: false,
      // `allowed: false` and `remaining: 0` must be there to be read, though they are their types' defaults.
      alwaysEmitImplicit: true,
    },
    contextValues: (request) =>
      createContextValues()
        .set(peerAddressKey, request.socket.remoteAddress)
        .set(reachedHandlerKey, () => reached.add(request)),
    routes: (router) => {
      for (const { service, handlers } of options.services) router.service(service, handlers as never);
    },
    fallback: (request, response) => void answerRoute(options, request, response as Response),
  });
  return (request, response) => {
    if (options.logRefused) logRefusal(options.logger, reached, request, response as Response);
    if (cors.handle(request, response as Response)) return;
    if (refuseForm(rpcPaths, request, response as Response)) return;
    rpc(request, response);
  };
}

async function answerRoute(options: HttpMountOptions, request: Request, response: Response): Promise<void> {
  const path = pathOf(request);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const health = healthReport(options.health, path);
  const route = options.routes?.[path];
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
  if (path === '/health/database' || path === '/health/redis') {
    return health.component(path.slice('/health/'.length));
  }
  return undefined;
}

function sendJson(response: Response, status: number, body: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length });
  response.end(bytes);
}

/** An error in the form that Connect clients read. */
function sendError(response: Response, status: number, code: Code, message: string): void {
  sendJson(response, status, { code: codeToString(code), message });
}

/** Media types of Connect and gRPC-Web. */
const RPC_MEDIA_TYPE =
  /^application\/(?:json|proto|connect\+(?:json|proto)|grpc-web(?:-text)?(?:\+(?:json|proto))?)\s*(?:;|$)/i;

/** Answers what Connect would refuse with a bare status; says what would have been right. */
function refuseForm(rpcPaths: ReadonlySet<string>, request: Request, response: Response): boolean {
  const path = pathOf(request);
  if (!rpcPaths.has(path)) return false;
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST');
    sendError(response, 405, Code.Unimplemented, `${path} takes POST only`);
    return true;
  }
  if (RPC_MEDIA_TYPE.test(request.headers['content-type'] ?? '')) return false;
  const expected = 'application/json or application/proto (Connect), or application/grpc-web';
  sendError(response, 415, Code.InvalidArgument, `content-type must be ${expected}`);
  return true;
}

function pathOf(request: Request): string {
  return request.url?.split('?', 1)[0] ?? '/';
}

function logRefusal(logger: Logger, reached: WeakSet<Request>, request: Request, response: Response): void {
  response.once('finish', () => {
    const path = pathOf(request);
    // Probes ask every few seconds, and the loss and return of a store is logged by itself.
    if (reached.has(request) || response.statusCode < 400 || path.startsWith('/health')) return;
    const peer = request.socket?.remoteAddress;
    logger.info({ method: request.method, path, status: response.statusCode, peer }, 'request refused');
  });
}
