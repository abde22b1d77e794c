import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from '@connectrpc/connect';
import { type CallOptions, Client, credentials, type Metadata } from '@grpc/grpc-js';
import { callError, canceled } from './call-error.ts';
import { bearer, copyMetadata, type HeaderInit, requestMetadata } from './metadata.ts';
import { StreamCall } from './stream-call.ts';
import { type ClientTls, tlsCredentials } from './tls-credentials.ts';
import { unreferencedSockets } from './unreferenced-sockets.ts';

const ROUND_ROBIN = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });

/** Where a gRPC service is and how to reach it. */
export interface GrpcTransportOptions {
  /**
   * `host:port`, or any target that grpc-js resolves, for example `dns:///limiter:50052`. Where it has several addresses,
   * a connection is kept to each, and calls take turns; addresses are looked up again when a connection ends.
   */
  readonly address: string;
  /** Speaks TLS: `true` trusts the authorities that Node knows. Default: cleartext. */
  readonly tls?: ClientTls | true | undefined;
  /**
   * The API key, sent as `authorization: Bearer <key>` with each call that brings no authorization header of its own.
   * Printable ASCII.
   */
  readonly apiKey?: string | undefined;
  /**
   * Time-out of unary calls that bring none, in milliseconds. Default: 10,000; 0 means none. Streams have a time-out
   * only where the call brings one: many are meant to stay open.
   */
  readonly defaultTimeoutMs?: number;
  /** The largest response message that is read, in bytes; a larger one is RESOURCE_EXHAUSTED. Default: 4 MiB. */
  readonly maxMessageBytes?: number;
  /**
   * Whether an open call keeps the process alive, as Node's sockets do. Default: true. With false only its time-out does:
   * for streams that mostly wait.
   */
  readonly keepsProcess?: boolean;
}

/** A connection to one gRPC service, for Connect's `createClient`. Disposed of, it lets running calls end. */
export interface GrpcTransport extends Transport, Disposable {}

/**
 * A Connect transport over grpc-js: typed clients with Connect's API at grpc-js's cost, a fraction of what a call
 * over node:http2 by Connect's own gRPC transport takes.
 *
 * Calls fail with a ConnectError whose code, message and details are the server's; details that can't be decoded are
 * left out. A service that can't be reached is UNAVAILABLE, as is a transport that was disposed of; a header that gRPC
 * can't carry is INVALID_ARGUMENT. A source of request messages that throws cancels its call: CANCELED, with what was
 * thrown as the cause.
 *
 * A call's time-out of 0 means none. A stream that is left before its end goes on until its signal is aborted, as
 * Connect's clients tell no transport that a reader has left.
 *
 * @throws TypeError when the API key has a character that a header can't carry, or `tls` has a certificate without its key
 */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  const authorization = options.apiKey === undefined ? undefined : bearer(options.apiKey);
  const unaryTimeoutMs = options.defaultTimeoutMs ?? 10_000;
  const { tls } = options;
  const open = tls === undefined ? credentials.createInsecure() : tlsCredentials(tls);
  const channel = options.keepsProcess === false ? unreferencedSockets(open) : open;
  const serverName = tls === true ? undefined : tls?.serverName;
  const client = new Client(options.address, channel, {
    ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
    'grpc.max_receive_message_length': options.maxMessageBytes ?? 4_194_304,
    // A service that comes back is found again within a second, not after grpc's default of up to two minutes.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1000,
    // Calls take turns between the addresses that the target resolves to; one that is gone is left out.
    'grpc.service_config': ROUND_ROBIN,
    // grpc's default of 30 s is longer than replicas take that replace each other.
    'grpc.dns_min_time_between_resolutions_ms': 2000,
    'grpc.keepalive_time_ms': 60_000,
    // With several addresses a machine that vanished costs only the calls whose turn it is, and nothing else notices.
    'grpc.keepalive_timeout_ms': 5000,
    // Each transport is a connection of its own: closing one closes nobody else's.
    'grpc.use_local_subchannel_pool': 1,
  });

  let closed = false;
  const prepare = (header: HeaderInit): Metadata => {
    if (closed) throw new ConnectError('the transport was disposed of', Code.Unavailable);
    return requestMetadata(header, authorization);
  };

  return {
    async unary(method, signal, timeoutMs, header, input) {
      const metadata = prepare(header);
      return await new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(canceled(signal));
          return;
        }
        const responseHeader = new Headers();
        const responseTrailer = new Headers();
        const pending = client.makeUnaryRequest(
          path(method),
          encoder(method.input),
          decoder(method.output),
          create(method.input, input),
          metadata,
          callOptions(timeoutMs ?? unaryTimeoutMs),
          (error, message) => {
            signal?.removeEventListener('abort', abort);
            if (error !== null) reject(callError(error, signal));
            else if (message === undefined) reject(noMessage());
            // The status event, which brings the trailers, comes just after this callback.
            else
              queueMicrotask(() => resolve(unaryResponse(method, message, responseHeader, responseTrailer)));
          },
        );
        const abort = () => pending.cancel();
        signal?.addEventListener('abort', abort);
        pending.on('metadata', (received) => copyMetadata(received, responseHeader));
        pending.on('status', (status) => copyMetadata(status.metadata, responseTrailer));
      });
    },

    stream(method, signal, timeoutMs, header, input) {
      const start = async () => {
        const metadata = prepare(header);
        if (signal?.aborted === true) throw canceled(signal);
        const stream = client.makeBidiStreamRequest(
          path(method),
          encoder(method.input),
          decoder(method.output),
          metadata,
          callOptions(timeoutMs ?? 0),
        );
        const responseHeader = new Headers();
        const responseTrailer = new Headers();
        stream.on('metadata', (received) => copyMetadata(received, responseHeader));
        stream.on('status', (status) => copyMetadata(status.metadata, responseTrailer));
        const call = new StreamCall(stream, signal);
        void call.write(method, input);
        return streamResponse(method, call.messages(), responseHeader, responseTrailer);
      };
      const response = start();
      // Connect's clients look at this promise when reading starts, which may be long after it was rejected. They are
      // told then all the same; without this line, Node would have ended the process before.
      response.catch(() => undefined);
      return response;
    },

    [Symbol.dispose]() {
      closed = true;
      client.close();
    },
  };
}

function path(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encoder<D extends DescMessage>(schema: D) {
  return (message: MessageShape<D>): Buffer => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function decoder<D extends DescMessage>(schema: D) {
  return (bytes: Buffer): MessageShape<D> => fromBinary(schema, bytes);
}

function callOptions(timeoutMs: number): CallOptions {
  return timeoutMs > 0 ? { deadline: Date.now() + timeoutMs } : {};
}

function noMessage(): ConnectError {
  return new ConnectError('the server answered without a message', Code.Internal);
}

function unaryResponse<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  message: MessageShape<O>,
  header: Headers,
  trailer: Headers,
): UnaryResponse<I, O> {
  return { stream: false, service: method.parent, method: method as never, header, trailer, message };
}

function streamResponse<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  message: AsyncIterable<MessageShape<O>>,
  header: Headers,
  trailer: Headers,
): StreamResponse<I, O> {
  return { stream: true, service: method.parent, method: method as never, header, trailer, message };
}
