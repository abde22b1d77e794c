import { create, type DescMethod, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type {
  MethodDefinition,
  Server,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedHandleCall,
} from '@grpc/grpc-js';
import { GrpcContext } from './grpc-context.ts';
import { grpcStatus } from './grpc-status.ts';
import { UNDECODABLE } from './pipeline.ts';
import {
  answersStream,
  asksStream,
  handlerOf,
  methodName,
  type ServiceTable,
  type StreamHandler,
  type UnaryHandler,
} from './service-table.ts';

type WritableCall = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>;

/** Puts a service's handlers on a grpc-js server. */
export function mountOnGrpc(server: Server, table: ServiceTable): void {
  const definition: Record<string, MethodDefinition<unknown, unknown>> = {};
  const implementation: Record<string, UntypedHandleCall> = {};
  for (const method of table.service.methods) {
    definition[method.localName] = methodDefinition(method, table.encoders[method.localName]);
    implementation[method.localName] = answersStream(method)
      ? streamCall(method, handlerOf(table, method) as StreamHandler)
      : unaryCall(method, handlerOf(table, method) as UnaryHandler);
  }
  server.addService(definition as ServiceDefinition, implementation);
}

/**
 * How grpc-js names, encodes and decodes a method's messages.
 *
 * @param encodeAnswer default: the generic encoder
 */
export function methodDefinition(
  method: DescMethod,
  // create() answers a message as it is and completes what is no message yet.
  encodeAnswer: (message: never) => Uint8Array = (message) =>
    toBinary(method.output, create(method.output, message)),
): MethodDefinition<unknown, unknown> {
  return {
    path: `/${methodName(method)}`,
    requestStream: asksStream(method),
    responseStream: answersStream(method),
    requestSerialize: (message) => encode(toBinary(method.input, message as never)),
    requestDeserialize: (bytes) => {
      // Thrown here, it would be answered with INTERNAL, past the pipeline.
      try {
        return fromBinary(method.input, bytes);
      } catch {
        return UNDECODABLE;
      }
    },
    responseSerialize: (message) => encode(encodeAnswer(message as never)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

function encode(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function unaryCall(method: DescMethod, handler: UnaryHandler) {
  return (
    call: ServerUnaryCall<unknown, unknown> | ServerReadableStream<unknown, unknown>,
    callback: sendUnaryData<unknown>,
  ): void => {
    const context = new GrpcContext(method, call);
    const succeed = (message: unknown): void => {
      context.sendResponseHeader();
      callback(null, message, context.trailerMetadata());
    };
    const fail = (error: unknown): void => {
      context.sendResponseHeader();
      callback(grpcStatus(ConnectError.from(error, Code.Internal), context.trailerMetadata()));
    };
    const answer = (message: unknown): void => {
      // What fails in succeed() itself, a header that can't be sent, say, must still end the call.
      try {
        succeed(message);
      } catch (error) {
        fail(error);
      }
    };
    const request = 'request' in call ? call.request : requestsOf(call, context);
    try {
      const response = handler(request, context);
      if (response instanceof Promise) response.then(answer, fail);
      else succeed(response);
    } catch (error) {
      fail(error);
    }
  };
}

function streamCall(method: DescMethod, handler: StreamHandler) {
  return (call: WritableCall): void => {
    const context = new GrpcContext(method, call);
    const request = 'request' in call ? call.request : requestsOf(call, context);
    void writeAll(call, context, handler(request, context));
  };
}

/** Writes each message as the peer takes it; ends the call with the outcome. Never rejects. */
async function writeAll(
  call: WritableCall,
  context: GrpcContext,
  messages: AsyncIterable<unknown>,
): Promise<void> {
  const { signal } = context;
  try {
    for await (const message of messages) {
      if (signal.aborted) return;
      context.sendResponseHeader();
      if (!call.write(message)) await drained(call, signal);
    }
    context.sendResponseHeader();
    call.end(context.trailerMetadata());
  } catch (error) {
    context.sendResponseHeader();
    call.emit('error', grpcStatus(ConnectError.from(error, Code.Internal), context.trailerMetadata()));
  }
}

/** Waits until the call takes messages again or has ended. */
async function drained(call: WritableCall, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

/** The messages of a request stream. Ends with the call's error where the caller goes away before its end. */
async function* requestsOf(
  call: ServerReadableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
  context: GrpcContext,
): AsyncIterable<unknown> {
  const { signal } = context;
  const stop = () => call.destroy(signal.reason as Error);
  signal.addEventListener('abort', stop);
  try {
    // A handler that stops reading early still has its answer or its error to send, so the call must stay open.
    for await (const message of call.iterator({ destroyOnReturn: false })) yield message;
    if (call.cancelled) throw signal.reason;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
