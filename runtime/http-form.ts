import type { DescMethod } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { rpcError } from './errors.ts';
import { type HttpRequest, type HttpResponse, pathOf, sendRpcError } from './http-answers.ts';
import { asksStream } from './service-table.ts';
import { MAX_TIMER_MS } from './timers.ts';

const JSON_OR_PROTO = '(?:json(?:; ?charset=utf-?8)?|proto)';
const GRPC_WEB = `grpc-web(?:\\+${JSON_OR_PROTO})?`;
const UNARY_TYPE = new RegExp(`^application/(?:${JSON_OR_PROTO}|${GRPC_WEB})$`, 'i');
const STREAM_TYPE = new RegExp(`^application/(?:connect\\+${JSON_OR_PROTO}|${GRPC_WEB})$`, 'i');

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * Answers what Connect would refuse with a bare status, or could not bear at all, and says what would have been
 * right. True where the request was refused, and thereby answered.
 */
export function refuseForm(
  method: DescMethod,
  domain: string,
  request: HttpRequest,
  response: HttpResponse,
): boolean {
  const path = pathOf(request);
  const refuse = (status: number, code: Code, message: string): true => {
    sendRpcError(response, status, rpcError(code, { message, reason: 'INVALID_REQUEST', domain }));
    return true;
  };
  // Connect builds a URL of it.
  const authority = 'authority' in request ? request.authority : request.headers.host;
  if (!authority || !URL.canParse(`http://${authority}`)) {
    return refuse(400, Code.InvalidArgument, 'the Host header (:authority) must name a host');
  }
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST');
    return refuse(405, Code.Unimplemented, `${path} takes POST only`);
  }
  if (method.methodKind === 'bidi_streaming' && request.httpVersionMajor < 2) {
    response.setHeader('connection', 'close');
    return refuse(505, Code.Unimplemented, `${path} streams in both directions, which takes HTTP/2`);
  }
  const isUnary = method.methodKind === 'unary';
  if ((isUnary ? UNARY_TYPE : STREAM_TYPE).test(request.headers['content-type'] ?? '')) return false;
  const connect = isUnary
    ? 'application/json or application/proto'
    : 'application/connect+json or application/connect+proto';
  return refuse(
    415,
    Code.InvalidArgument,
    `content-type must be ${connect} (Connect), or application/grpc-web`,
  );
}

/** Shortens deadlines that Node's timers can't wait for, in either protocol's header. */
export function capTimeouts(request: HttpRequest): void {
  const { headers } = request;
  if (
    Number(headers['connect-timeout-ms']) > MAX_TIMER_MS &&
    /^\d{10}$/.test(`${headers['connect-timeout-ms']}`)
  ) {
    headers['connect-timeout-ms'] = String(MAX_TIMER_MS);
  }
  const [, amount, unit] = /^(\d{1,8})([HMS])$/.exec(`${headers['grpc-timeout']}`) ?? [];
  if (unit !== undefined && Number(amount) * (UNIT_MS[unit] ?? 0) > MAX_TIMER_MS) {
    headers['grpc-timeout'] = `${Math.floor(MAX_TIMER_MS / 1000)}S`;
  }
}

/**
 * Closes an HTTP/2 request whose body stops coming for `timeoutMs` before it is complete. HTTP/1.1 has Node's own
 * time-out. Requests that are streams may pause for as long as they like.
 */
export function limitBody(method: DescMethod | undefined, timeoutMs: number, request: HttpRequest): void {
  if (!('stream' in request) || request.complete || (method !== undefined && asksStream(method))) return;
  const { stream } = request;
  stream.setTimeout(timeoutMs, () => stream.close());
  request.once('end', () => stream.setTimeout(0));
}
