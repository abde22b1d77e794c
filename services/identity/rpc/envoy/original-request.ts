import type { HeaderValue } from '../../../../gen/envoy/config/core/v3/base_pb.ts';
import type { AttributeContext } from '../../../../gen/envoy/service/auth/v3/attribute_context_pb.ts';
import type { OriginalRequest } from '../../domain/access/access.ts';
import { hostName } from '../../domain/access/host-name.ts';

/** A request as Envoy tells of it. What Envoy does not tell is empty: no token, no host, no path that a rule could match. */
export function originalRequest(attributes: AttributeContext | undefined): OriginalRequest {
  const http = attributes?.request?.http;
  const path = http?.path ?? '';
  const query = path.indexOf('?');
  return {
    method: (http?.method ?? '').toUpperCase(),
    host: hostName(http?.host ?? ''),
    path: query === -1 ? path : path.slice(0, query),
    authorization: headerOf(http, 'authorization'),
  };
}

type HttpRequest = NonNullable<NonNullable<AttributeContext['request']>['http']>;

/** A header by its lower-case name, several joined by `, `: from the map, or, with raw headers, one by one. */
function headerOf(http: HttpRequest | undefined, name: string): string | undefined {
  if (http === undefined) return undefined;
  const raw = (http.headerMap?.headers ?? [])
    .filter(({ key }) => key.toLowerCase() === name)
    .map(headerValue);
  // Both at once come from no Envoy: then there are two of them, which no token is read from.
  const { [name]: mapped } = http.headers;
  const values = mapped === undefined ? raw : [mapped, ...raw];
  return values.length === 0 ? undefined : values.join(', ');
}

function headerValue({ value, rawValue }: HeaderValue): string {
  return rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value;
}

/** Names of a request's headers. */
export function headerNames(attributes: AttributeContext | undefined): readonly string[] {
  const http = attributes?.request?.http;
  if (http === undefined) return [];
  return [...Object.keys(http.headers), ...(http.headerMap?.headers ?? []).map(({ key }) => key)];
}
