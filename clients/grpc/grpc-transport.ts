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
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { StatusSchema } from '../../gen/google/rpc/status_pb.ts';

/** Where a gRPC service is and how to reach it. */
export interface GrpcTransportOptions {
  /** `host:port`, or any target that grpc-js resolves, for example `dns:///limiter:50052`. */
  readonly address: string;
  /** The API key to call with, where the service asks for one. */
  readonly apiKey?: string | undefined;
  /** Time-out of calls that bring none, in milliseconds. Default: 10,000; 0 means none. */
  readonly defaultTimeoutMs?: number;
  /** The largest response message that is read, in bytes. Default: 4 MiB. */
  readonly maxMessageBytes?: number;
}

type HeaderInit = ConstructorParameters<typeof Headers>[0];

/** A connection to one gRPC service, for Connect's `createClient`. */
export interface GrpcTransport extends Transport, Disposable {
  /** Waits until the connection is up; rejects when it is not within the time, in milliseconds. */
  waitForReady(timeoutMs: number): Promise<void>;
}

/**
 * A Connect transport over grpc-js: typed clients with Connect's API at grpc-js's cost, a fraction of what a call
 * over node:http2 by Connect's own gRPC transport takes.
 *
 * Calls fail with a ConnectError whose code, message and details are the server's. A service that can't be reached
 * is UNAVAILABLE.
 */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  const client = new Client(options.address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': options.maxMessageBytes ?? 4_194_304,
    // A service that comes back is found again within a second, not after grpc's default of up to two minutes.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1000,
    'grpc.keepalive_time_ms': 60_000,
    // Each transport is a connection of its own: closing one closes nobody else's.
    'grpc.use_local_subchannel_pool': 1,
  });
  const prepare = (timeoutMs: number | undefined, header: HeaderInit | undefined) => ({
    metadata: requestMetadata(header, options.apiKey),
    call: callOptions(timeoutMs ?? options.defaultTimeoutMs ?? 10_000),
  });

  return {
    async unary(method, signal, timeoutMs, header, input) {
      const { metadata, call } = prepare(timeoutMs, header);
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
          call,
          (error, message) => {
            signal?.removeEventListener('abort', abort);
            if (error !== null || message === undefined) reject(connectError(error, signal));
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

    async stream(method, signal, timeoutMs, header, input) {
      const { metadata, call } = prepare(timeoutMs, header);
      if (signal?.aborted === true) throw canceled(signal);
      const stream = client.makeBidiStreamRequest(
        path(method),
        encoder(method.input),
        decoder(method.output),
        metadata,
        call,
      );
      const abort = () => stream.cancel();
      signal?.addEventListener('abort', abort);
      const responseHeader = new Headers();
      const responseTrailer = new Headers();
      stream.on('metadata', (received) => copyMetadata(received, responseHeader));
      stream.on('status', (status) => {
        signal?.removeEventListener('abort', abort);
        copyMetadata(status.metadata, responseTrailer);
      });
      void writeAll(stream, method, input);
      return streamResponse(method, readAll(stream, signal), responseHeader, responseTrailer);
    },

    async waitForReady(timeoutMs) {
      await new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + timeoutMs, (error) => {
          if (error === undefined || error === null) resolve();
          else reject(new ConnectError(`${options.address} can't be reached`, Code.Unavailable));
        });
      });
    },

    [Symbol.dispose]() {
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

function requestMetadata(header: HeaderInit | undefined, apiKey: string | undefined): Metadata {
  const metadata = new Metadata();
  if (apiKey !== undefined) metadata.set('authorization', `Bearer ${apiKey}`);
  if (header === undefined) return metadata;
  new Headers(header).forEach((value, name) => {
    metadata.set(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  });
  return metadata;
}

function copyMetadata(metadata: Metadata, headers: Headers): void {
  for (const name of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(name)) {
      headers.append(name, typeof value === 'string' ? value : value.toString('base64'));
    }
  }
}

function canceled(signal: AbortSignal): ConnectError {
  return ConnectError.from(signal.reason, Code.Canceled);
}

/** The server's error, or the caller's own cancellation. */
function connectError(error: ServiceError | null, signal: AbortSignal | undefined): ConnectError {
  if (signal?.aborted === true) return canceled(signal);
  if (error === null) return new ConnectError('the server answered without a message', Code.Internal);
  const result = new ConnectError(error.details, error.code as number);
  copyMetadata(error.metadata, result.metadata);
  result.isWireError = true;
  const [status] = error.metadata.get('grpc-status-details-bin');
  if (status instanceof Buffer) {
    result.details = fromBinary(StatusSchema, status).details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1),
      value,
    }));
  }
  return result;
}

async function writeAll<I>(
  stream: ClientDuplexStream<I, unknown>,
  method: DescMethod,
  input: AsyncIterable<unknown>,
): Promise<void> {
  try {
    for await (const message of input) {
      if (stream.destroyed || stream.writableEnded) return;
      if (!stream.write(create(method.input, message as never) as I)) await drained(stream);
    }
    stream.end();
  } catch {
    // The caller's own source of messages failed: the call can't be completed, and reading it tells so.
    stream.cancel();
  }
}

async function drained(stream: NodeJS.EventEmitter): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      for (const event of ['drain', 'status', 'close']) stream.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'status', 'close']) stream.on(event, done);
  });
}

async function* readAll<O>(
  stream: ClientDuplexStream<never, O>,
  signal: AbortSignal | undefined,
): AsyncIterable<O> {
  try {
    for await (const message of stream) yield message as O;
  } catch (error) {
    throw connectError(error as ServiceError, signal);
  } finally {
    stream.cancel();
  }
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
