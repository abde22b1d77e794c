import type { RouteRequest } from '../http-route.ts';

/** A request to a route with these headers, names in lower case. */
export function requestWith(
  headers: Readonly<Record<string, string | readonly string[]>>,
  query = '',
): RouteRequest {
  return {
    method: 'GET',
    path: '/forward-auth/test',
    query,
    peerAddress: '127.0.0.1',
    certificate: undefined,
    signal: new AbortController().signal,
    header: (name) => [headers[name] ?? []].flat(),
  };
}
