import { Code, type ConnectError } from '@connectrpc/connect';
import type { HttpAnswer } from '../clients/http/problem.ts';
import type { ClientCertificate } from './client-certificate.ts';
import { type HttpRequest, type HttpResponse, pathOf, sendAnswer, sendError } from './http-answers.ts';
import type { Logger } from './logger.ts';

/** A request to a route that sees it. Its body counts for nothing. */
export interface RouteRequest {
  /** For example `GET`. */
  readonly method: string;
  readonly path: string;
  /** What follows the `?`, as it was sent; '' where nothing does. */
  readonly query: string;
  /** The IP address of the peer at the other end of the connection; undefined where it is already gone. */
  readonly peerAddress: string | undefined;
  /** The peer's certificate, where the connection has one that was verified. */
  readonly certificate: ClientCertificate | undefined;
  /** Aborted where the peer leaves before it is answered. */
  readonly signal: AbortSignal;
  /** All values that were sent under a name, in lower case, in their order. */
  header(name: string): readonly string[];
}

/** A route beside the RPCs that only callers may use whom the policy lets, by whatever method of HTTP. */
export interface GuardedRoute {
  /** Its entry in the service's policy, which logs show too, for example `GET /forward-auth/nginx`. */
  readonly policyEntry: string;
  /**
   * The header that brings the caller's credential. Default: `x-optix-authorization`, as gateways send `authorization` of the
   * request that they ask about.
   */
  readonly credentialHeader?: string;
  readonly answer: (request: RouteRequest) => Promise<HttpAnswer> | HttpAnswer;
  /** Says in the route's own way that a request failed: its caller's credential was refused, or `answer` threw. */
  readonly refuse: (error: ConnectError) => HttpAnswer;
}

/** A route whose caller, log and errors are looked after. Never rejects. */
export type RouteHandler = (request: RouteRequest) => Promise<HttpAnswer>;

/** Answers one request. Resolves once it is answered or gone; never rejects. */
export async function serveRoute(
  handler: RouteHandler,
  logger: Logger,
  request: HttpRequest,
  response: HttpResponse,
  certificate: ClientCertificate | undefined,
): Promise<void> {
  // Gateways send bodies along that nobody asked for; unread, one would hold up the connection.
  request.resume();
  // A peer that goes away while it is answered is no error of ours.
  response.on('error', () => undefined);
  const asked = routeRequest(request, response, certificate);
  try {
    const answer = await handler(asked);
    if (!asked.signal.aborted) sendAnswer(response, answer);
  } catch (error) {
    logger.error({ err: error, path: asked.path }, 'unexpected error');
    if (response.headersSent) response.destroy();
    else sendError(response, 500, Code.Internal, 'internal error');
  }
}

/** A request of Node's as a route sees it. */
function routeRequest(
  request: HttpRequest,
  response: HttpResponse,
  certificate: ClientCertificate | undefined,
): RouteRequest {
  const { url = '' } = request;
  const queryAt = url.indexOf('?');
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the peer is gone'));
  });
  let headers: ReadonlyMap<string, readonly string[]> | undefined;
  return {
    method: request.method ?? '',
    path: pathOf(request),
    query: queryAt < 0 ? '' : url.slice(queryAt + 1),
    peerAddress: request.socket.remoteAddress,
    certificate,
    signal: gone.signal,
    header(name) {
      headers ??= headersOf(request);
      return headers.get(name) ?? [];
    },
  };
}

/** Of the raw list: Node's own objects drop, or join, what is there twice. */
function headersOf({ rawHeaders }: HttpRequest): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [rawHeaders[at + 1] as string]);
    else values.push(rawHeaders[at + 1] as string);
  }
  return headers;
}
