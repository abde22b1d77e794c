import type { HttpFacts } from './http-facts.ts';
import { pathOf } from './request-path.ts';

/**
 * The facts of a request of the Fetch API.
 *
 * @param remoteAddress the peer's address, which the Fetch API does not have: the server's adapter knows it
 */
export function fetchFacts(
  request: Pick<Request, 'method' | 'url' | 'headers'>,
  remoteAddress: string | undefined,
): HttpFacts {
  return {
    method: request.method,
    path: pathOf(request.url),
    remoteAddress,
    header: (name) => request.headers.get(name) ?? undefined,
  };
}
