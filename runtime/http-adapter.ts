import type { DescMethod } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type ConnectRouterOptions,
  type ContextValues,
  createConnectRouter,
} from '@connectrpc/connect';
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import { type HttpRequest, type HttpResponse, sendError } from './http-answers.ts';
import type { Logger } from './logger.ts';
import type { ServiceTable } from './service-table.ts';

/** One RPC on the HTTP port. */
export interface HttpRpc {
  readonly method: DescMethod;
  /** Serves one request. Resolves once it is answered or gone; never rejects. */
  readonly serve: (
    request: HttpRequest,
    response: HttpResponse,
    contextValues: ContextValues,
  ) => Promise<void>;
}

/**
 * RPCs by path. What Connect's own adapter for Node does, except for two things: a reader that goes away while
 * its answer is stuck ends the call, and failures go to the logger, not to standard error.
 */
export function httpRpcs(
  services: readonly ServiceTable[],
  options: ConnectRouterOptions,
  logger: Logger,
): ReadonlyMap<string, HttpRpc> {
  const router = createConnectRouter({ acceptCompression: [compressionGzip, compressionBrotli], ...options });
  for (const { service, handlers } of services) router.service(service, handlers as never);
  const serveBy = (handler: (typeof router.handlers)[number]): HttpRpc['serve'] => {
    return async (request, response, contextValues) => {
      const isGone = failWhenGone(request, response);
      try {
        const asked = universalRequestFromNodeRequest(request, response, undefined, contextValues);
        await universalResponseToNodeResponse(await handler(asked), response);
      } catch (error) {
        // Nobody is left to be answered, which is the caller's affair; the access log has the call.
        if (isGone()) return;
        logger.error({ err: error, path: handler.requestPath }, 'unexpected error');
        if (response.headersSent) response.destroy();
        else sendError(response, 500, Code.Internal, 'internal error');
      }
    };
  };
  return new Map(
    router.handlers.map((handler) => [
      handler.requestPath,
      { method: handler.method, serve: serveBy(handler) },
    ]),
  );
}

/**
 * Makes writes fail once the peer is gone. Connect waits for either 'drain' or 'error' while a window is full, and
 * Node emits neither for a response that is closed; the call's handler would never end.
 */
function failWhenGone(request: HttpRequest, response: HttpResponse): () => boolean {
  let closed = false;
  // Writes that fail have their callbacks; without a listener the event would end the process.
  response.on('error', () => undefined);
  response.once('close', () => {
    if (response.writableFinished) return;
    closed = true;
    response.emit('error', new ConnectError('the peer is gone', Code.Canceled));
  });
  const connection = 'stream' in request ? request.stream : request.socket;
  return () => closed || connection.destroyed;
}
