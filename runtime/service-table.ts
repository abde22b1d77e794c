import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';

/** A handler of a unary or client-streaming RPC; a stream comes as an AsyncIterable of messages. */
export type UnaryHandler = (
  request: unknown,
  context: HandlerContext,
) => Promise<MessageInitShape<DescMessage>> | MessageInitShape<DescMessage>;

/** A handler of a server-streaming or bidirectional RPC. */
export type StreamHandler = (
  request: unknown,
  context: HandlerContext,
) => AsyncIterable<MessageInitShape<DescMessage>>;

/** One RPC service and the handlers of all its methods, by local name. Every transport mounts the same table. */
export interface ServiceTable {
  readonly service: DescService;
  readonly handlers: Readonly<Record<string, UnaryHandler | StreamHandler>>;
  /** For methods whose answers the generic encoder is too slow for: their binary form. gRPC uses it. */
  readonly encoders: Readonly<Record<string, ((message: never) => Uint8Array) | undefined>>;
}

/** Encoders by local name of the method. What such a method's handler answers must be a whole message. */
export type AnswerEncoders<S extends DescService> = {
  readonly [K in keyof S['method']]?: (message: MessageShape<S['method'][K]['output']>) => Uint8Array;
};

/** Puts a service and its handlers into a table entry; the compiler checks that no method lacks its handler. */
export function serviceTable<S extends DescService>(
  service: S,
  handlers: ServiceImpl<S>,
  encoders: AnswerEncoders<S> = {},
): ServiceTable {
  return {
    service,
    handlers: handlers as ServiceTable['handlers'],
    encoders: encoders as ServiceTable['encoders'],
  };
}

/** The RPC's full name, for example `optix.identity.v1.IdentityService/GetUser`. */
export function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** Whether an RPC answers with a stream. */
export function answersStream(method: DescMethod): boolean {
  return method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming';
}

/** Whether an RPC is asked with a stream. */
export function asksStream(method: DescMethod): boolean {
  return method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
}

/** The handler of a method. */
export function handlerOf(table: ServiceTable, method: DescMethod): UnaryHandler | StreamHandler {
  const handler = table.handlers[method.localName];
  if (handler === undefined) throw new Error(`${methodName(method)} has no handler`);
  return handler;
}
