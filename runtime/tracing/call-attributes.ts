import { Code } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api';

/** Codes that are the server's fault, by OpenTelemetry's conventions for gRPC. */
const SERVER_FAULTS: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

/**
 * What a span says of a call, by OpenTelemetry's conventions for RPC.
 *
 * @param method its full name
 * @param protocol as Connect names them: `grpc`, `grpc-web` or `connect`
 */
export function callAttributes(method: string, protocol: string): Attributes {
  return {
    'rpc.system.name': protocol === 'connect' ? 'connectrpc' : 'grpc',
    'rpc.method': method,
  };
}

/**
 * Ends the span of a call that was answered. Of an error it has the code alone: its text may tell of people.
 *
 * @param code undefined: it ended well
 */
export function endCallSpan(span: Span, code: Code | undefined): void {
  end(span, code, code !== undefined && SERVER_FAULTS.has(code));
}

/** Ends the span of a call that was made of another service: to who asks, every error is one. */
export function endClientCallSpan(span: Span, code: Code | undefined): void {
  end(span, code, code !== undefined);
}

function end(span: Span, code: Code | undefined, isError: boolean): void {
  const name = code === undefined ? 'OK' : codeToString(code).toUpperCase();
  span.setAttribute('rpc.status_code', name);
  if (isError) {
    span.setAttribute('error.type', name);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
