import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { cors as connectCors } from '@connectrpc/connect';

/**
 * Cross-origin access for the pages of the given origins (https://fetch.spec.whatwg.org/#http-cors-protocol).
 * Without origins nothing is ever added and browsers refuse.
 */
export class Cors {
  readonly #origins: ReadonlySet<string>;
  readonly #exposed: string;

  constructor(origins: readonly string[], exposedHeaders: readonly string[]) {
    this.#origins = new Set(origins);
    this.#exposed = [...connectCors.exposedHeaders, 'X-Request-Id', ...exposedHeaders].join(', ');
  }

  /** Adds the headers a browser asks for; true where the request was a preflight, which is thereby answered. */
  handle(request: IncomingMessage | Http2ServerRequest, response: ServerResponse): boolean {
    if (this.#origins.size === 0) return false;
    const { origin } = request.headers;
    response.setHeader('vary', 'Origin');
    const allowed = origin !== undefined && (this.#origins.has('*') || this.#origins.has(origin));
    if (allowed) {
      response.setHeader('access-control-allow-origin', origin);
      response.setHeader('access-control-expose-headers', this.#exposed);
    }
    const isPreflight =
      request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
    if (!isPreflight) return false;
    if (allowed) {
      response.setHeader('access-control-allow-methods', connectCors.allowedMethods.join(', '));
      response.setHeader(
        'access-control-allow-headers',
        [...connectCors.allowedHeaders, 'Authorization', 'X-Request-Id'].join(', '),
      );
      response.setHeader('access-control-max-age', '7200');
    }
    response.writeHead(204);
    response.end();
    return true;
  }
}
