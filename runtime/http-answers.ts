import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Code, ConnectError } from '@connectrpc/connect';
import { codeToString, errorToJson } from '@connectrpc/connect/protocol-connect';
import type { HttpAnswer } from '../clients/http/problem.ts';

/** A request of either version of HTTP. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;

/** Node's two kinds of response have the methods used here in common, which their union's types do not show. */
export type HttpResponse = ServerResponse;

/** Answers one JSON value. */
export function sendJson(response: HttpResponse, status: number, body: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length });
  response.end(bytes);
}

/** Answers as a route says. */
export function sendAnswer(response: HttpResponse, { status, headers, body }: HttpAnswer): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { ...headers, 'content-length': bytes.length });
  response.end(bytes);
}

/** Answers an error in the form that Connect clients read. */
export function sendError(response: HttpResponse, status: number, code: Code, message: string): void {
  sendJson(response, status, { code: codeToString(code), message });
}

/** Answers an error with its details in the form that Connect clients read. */
export function sendRpcError(response: HttpResponse, status: number, error: ConnectError): void {
  sendJson(response, status, errorToJson(error, undefined));
}

/** The path of a request, without its query. */
export function pathOf(request: HttpRequest): string {
  return request.url?.split('?', 1)[0] ?? '/';
}
