import { SpanStatusCode } from '@opentelemetry/api';
import type { RouteHandler, RouteRequest } from '../http-route.ts';
import type { CallSpans } from './call-spans.ts';
import { parseTraceContext } from './trace-context.ts';

/** Methods that a span may name (RFC 9110, RFC 5789): any other is somebody's invention. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
]);

/**
 * A route with a span of kind SERVER around each request, by OpenTelemetry's conventions for HTTP.
 *
 * @param name for example `GET /forward-auth/nginx`
 */
export function routeWithSpans(spans: CallSpans, name: string, route: RouteHandler): RouteHandler {
  return async (request) => {
    const parent = remoteParent(request);
    const attributes = {
      'http.request.method': METHODS.has(request.method) ? request.method : '_OTHER',
      'http.route': request.path,
    };
    const span = spans.start(name, attributes, parent);
    const answer = await spans.scope(span, parent)(() => route(request));
    if (span === undefined) return answer;
    span.setAttribute('http.response.status_code', answer.status);
    if (answer.status >= 500) {
      span.setAttribute('error.type', String(answer.status));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
    return answer;
  };
}

function remoteParent({ header }: RouteRequest) {
  const [traceparent, second] = header('traceparent');
  if (traceparent === undefined || second !== undefined) return undefined;
  const tracestate = header('tracestate');
  return parseTraceContext(traceparent, tracestate.length === 0 ? undefined : tracestate.join(','));
}
