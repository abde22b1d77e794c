import {
  type ContextValues,
  createContextKey,
  createContextValues,
  type StreamRequest,
  type UnaryRequest,
} from '@connectrpc/connect';
import type { HttpFacts } from './http-facts.ts';
import type { NodeRequest } from './node-facts.ts';

/** The peer's address, which Connect's interceptors are told by context values alone. */
export const remoteAddressKey = createContextKey<string | undefined>(undefined, {
  description: 'remote address',
});

/**
 * Tells interceptors the peer's address: the option `contextValues` of connect-node's adapter and of Connect's plugins
 * for Express and Fastify.
 *
 * @example
 * createServer(connectNodeAdapter({ routes, interceptors, contextValues: remoteAddressValues }));
 */
export function remoteAddressValues(request: Pick<NodeRequest, 'socket'>): ContextValues {
  return createContextValues().set(remoteAddressKey, request.socket.remoteAddress);
}

/** The facts of a call that a Connect server answers. */
export function connectFacts(request: UnaryRequest | StreamRequest): HttpFacts {
  return {
    method: request.requestMethod,
    path: `/${request.service.typeName}/${request.method.name}`,
    remoteAddress: request.contextValues.get(remoteAddressKey),
    header: (name) => request.header.get(name) ?? undefined,
  };
}
