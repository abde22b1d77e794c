import type { IncomingMessage } from 'node:http';
import type { HttpFacts } from './http-facts.ts';
import { pathOf } from './request-path.ts';

/** What is read of a request of node:http or node:http2's compatibility API. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/**
 * The facts of a request of Node's HTTP servers, as it is now: what earlier middleware took out of `headers` is gone.
 *
 * @param url the request target where a router has shortened `request.url` (Express's `originalUrl`)
 */
export function nodeFacts(request: NodeRequest, url: string = request.url ?? '/'): HttpFacts {
  return {
    method: request.method ?? 'GET',
    path: pathOf(url),
    remoteAddress: request.socket.remoteAddress,
    header: (name) => headerOf(request, name),
  };
}

/** Node keeps the first alone of several `authorization` headers and the like: those who send two must not hide one. */
function headerOf({ headers, rawHeaders }: NodeRequest, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  const sent: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === name) sent.push(rawHeaders[at + 1] ?? '');
  }
  if (sent.length > 1) return sent.join(', ');
  return typeof value === 'string' ? value : value.join(', ');
}
