import { type ConnectError, createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { Caller } from './callers/caller.ts';
import { abortError } from './errors.ts';
import { GrpcContext } from './grpc-context.ts';

/** Set by the HTTP port: the address of the peer at the other end of the connection. */
export const peerAddressKey = createContextKey<string | undefined>(undefined, {
  description: 'peer address',
});

/** Set by the HTTP port: told when a call reached its handler, so that what never did is logged too. */
export const reachedHandlerKey = createContextKey<(() => void) | undefined>(undefined, {
  description: 'reached handler',
});

/** A property of the context itself: a check can't spare what a map of contexts, or of context values, costs. */
const CALLER = Symbol('caller');

/** Who calls; undefined where authentication is off. */
export function callerOf(context: HandlerContext): Caller | undefined {
  return (context as { readonly [CALLER]?: Caller })[CALLER];
}

/** Tells {@link callerOf} who calls. */
export function setCaller(context: HandlerContext, caller: Caller | undefined): void {
  if (caller !== undefined) (context as { [CALLER]?: Caller })[CALLER] = caller;
}

/** Reads one request header or metadata entry, without building a Headers object where the transport has none. */
export function requestHeader(context: HandlerContext, name: string): string | undefined {
  if (context instanceof GrpcContext) return context.requestMetadata(name);
  return context.requestHeader.get(name) ?? undefined;
}

/** The IP address of the peer at the other end of the connection; undefined where it is already gone. */
export function peerAddress(context: HandlerContext): string | undefined {
  return plainAddress(
    context instanceof GrpcContext ? context.peerAddress() : context.values.get(peerAddressKey),
  );
}

/** A socket's `remoteAddress` without what only this machine's sockets say of it. */
export function plainAddress(address: string | undefined): string | undefined {
  // A dual-stack socket shows IPv4 peers as mapped addresses.
  // The zone of a link-local address (`%eth0`) means something on this machine only.
  return address?.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}

/** How a call ended for its caller while its handler was still at work; undefined where the caller waits. */
export function callEnd(context: HandlerContext): ConnectError | undefined {
  if (context instanceof GrpcContext) return context.end();
  return context.signal.aborted ? abortError(context.signal.reason) : undefined;
}
